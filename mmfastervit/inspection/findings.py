"""What a look at data finds, and how it is told: all faults in one message."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

SHOWN = 3  # examples of each kind
FEW = 0.001  # share of objects that may be left out: COCO's own training set has some
_LONGEST = 80  # letters of a quoted value
_MANY = {"category": "categories", "class": "classes", "entry": "entries"}


class FaultyData(ValueError):
    """The data of a config have faults that spoil or end a run; the message names them all."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or may be, with entries of one file or with files of one folder.

    Attributes:
        place: The file, the folder or the key of the config.
        what: What is wrong, naming the field.
        subject: What is counted: ``"annotation"``, ``"image"``, ``"label map"``; '' for the file.
        count: How many of them.
        examples: Up to three, each with its id or file and the value.
        accepted: What would be right; '' if ``what`` says it.
        remedy: What to do; a fault has one.
        is_fault: Whether a run must not start; otherwise it is a line of the summary.
    """

    place: str
    what: str
    subject: str = ""
    count: int = 0
    examples: tuple[str, ...] = ()
    accepted: str = ""
    remedy: str = ""
    is_fault: bool = True

    @property
    def headline(self) -> str:
        """What is wrong in one line, without the place."""
        return f"{counted(self.count, self.subject)}: {self.what}" if self.subject else self.what

    def is_as(self, other: "Finding") -> bool:
        """Whether it says the same, of the same entries."""
        return (self.place, self.headline, self.examples) == (
            other.place,
            other.headline,
            other.examples,
        )


@dataclass
class Report:
    """What was found in all data of a config.

    Attributes:
        findings: Faults and remarks.
        summaries: What each data set holds, some lines each.
    """

    findings: list[Finding] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)

    def add(self, findings: Iterable[Finding]) -> None:
        """Add findings; what two stages of a config have in common is told once."""
        for finding in findings:
            if not any(finding.is_as(other) for other in self.findings):
                self.findings.append(finding)

    @property
    def faults(self) -> list[Finding]:
        """What a run must not start with."""
        return [finding for finding in self.findings if finding.is_fault]

    @property
    def remarks(self) -> list[Finding]:
        """What a run may start with, and what its owner may want to know."""
        return [finding for finding in self.findings if not finding.is_fault]

    def told(self) -> str:
        """The summaries and remarks, for the terminal."""
        remarks = [f"  remark: {line.place}: {_in_a_line(line)}" for line in self.remarks]
        return "\n".join([*self.summaries, *remarks])

    def told_faults(self) -> str:
        """All faults in one message, those of one place together."""
        by_place: dict[str, list[Finding]] = {}
        for fault in self.faults:
            by_place.setdefault(fault.place, []).append(fault)
        lines = [f"the data have {counted(len(self.faults), 'fault')}:"]
        for place, found in by_place.items():
            lines += ["", place]
            for fault in found:
                lines += _in_lines(fault)
        return "\n".join(lines)


def counted(count: int, subject: str) -> str:
    """``1 image``, ``2 images``, ``2 categories``."""
    return f"{count} {subject if count == 1 else _MANY.get(subject, f'{subject}s')}"


def brief(value: Any) -> str:
    """A value as Python writes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def some(examples: Iterable[str]) -> tuple[str, ...]:
    """The first few, as a finding shows them; what is behind them is not made."""
    return tuple(text for text, _ in zip(examples, range(SHOWN), strict=False))


def _in_lines(fault: Finding) -> list[str]:
    lines = [f"  {fault.headline}", *(f"      {example}" for example in fault.examples)]
    if fault.count > len(fault.examples) > 0:
        lines.append(f"      and {fault.count - len(fault.examples)} more")
    if fault.accepted:
        lines.append(f"    accepted: {fault.accepted}")
    if fault.remedy:
        lines.append(f"    to do: {fault.remedy}")
    return lines


def _in_a_line(remark: Finding) -> str:
    examples = f" ({'; '.join(remark.examples)})" if remark.examples else ""
    return f"{remark.headline}{examples}"
