"""What a diagnosis says, and how the diagnoses of a subject make one verdict."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .environment import Environment


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Args:
        told: What is wrong and what of it, in a sentence without its full stop.
        mend: The command that mends it.
        fault: Whether something will not work; False for a warning.
    """

    told: str
    mend: str
    fault: bool = True


Diagnosis = Callable[[Environment], Finding | None]


@dataclass(frozen=True)
class Verdict:
    """What was found of one subject.

    Args:
        subject: Its name.
        summary: What is there, in a few words.
        findings: What is wrong, in the order to mend it.
        waits_for: The module that has to import before this can be looked at.
    """

    subject: str
    summary: str
    findings: tuple[Finding, ...] = ()
    waits_for: str | None = None

    @property
    def state(self) -> str:
        """``ok``, ``warning``, ``fault``, or ``unknown`` where it waits for another subject."""
        if self.findings:
            return "fault" if any(finding.fault for finding in self.findings) else "warning"
        return "unknown" if self.waits_for else "ok"


@dataclass(frozen=True)
class Subject:
    """One line of the report.

    Args:
        name: What stands in front of the line.
        summary: Says what is there.
        causes: Diagnoses that can be made whatever else is broken.
        symptoms: Diagnoses of what happened when it was tried, asked where no cause was found and
            all that it needs imports: else they would tell another subject's fault again.
        needs: The modules that must import before the symptoms can be looked at.
    """

    name: str
    summary: Callable[[Environment], str]
    causes: tuple[Diagnosis, ...] = ()
    symptoms: tuple[Diagnosis, ...] = ()
    needs: tuple[str, ...] = ()

    def verdict(self, environment: Environment) -> Verdict:
        """Ask the diagnoses."""
        findings = _found(self.causes, environment)
        waits_for = None
        if not any(finding.fault for finding in findings):
            broken = (environment.first_broken(module) for module in self.needs)
            waits_for = next((module for module in broken if module), None)
            if waits_for is None:
                findings += _found(self.symptoms, environment)
        return Verdict(self.name, self.summary(environment), findings, waits_for)


def _found(diagnoses: Iterable[Diagnosis], environment: Environment) -> tuple[Finding, ...]:
    found = (diagnosis(environment) for diagnosis in diagnoses)
    return tuple(finding for finding in found if finding is not None)
