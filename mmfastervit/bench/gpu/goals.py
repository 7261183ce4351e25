"""What this package promises to reach on a GPU, and whether it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from mmfastervit.bench.cases import Conditions, Result

from .plan import BATCHES, CLASSIFY, DETECT, MAIN, PRECISIONS, UPSTREAM
from .running import Outcome, of

DEPLOYED = f"{MAIN}:deploy"
OVER_UPSTREAM = 1.5
OVER_SWIN = 1.78  # the paper's 287 images/s to 161, of whole detectors at 1280x800 on one A100
PAPERS_RATE = 3161  # images/s at 224x224, batch 128, on one A100
MODES = ("deploy+channels_last", "deploy+cast", "deploy+cuda_graph", "deploy+compiled",
         "deploy+compiled+cuda_graph")  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """A goal under some conditions, and what was measured.

    Attributes:
        goal: What is to be reached.
        conditions: Where.
        limit: At least this much.
        value: Of the deployed model without a compiler or graph; None where it was not measured.
        best: The best of other modes that were measured, and which it is.
        why_not: Measured.
    """

    goal: str
    conditions: str
    limit: float
    value: float | None
    best: tuple[float, str] | None = None
    why_not: str = ""

    @property
    def word(self) -> str:
        """'reached', 'missed', 'reached only MODE' or 'not measured'."""
        if self.value is None:
            return "not measured"
        if self.value >= self.limit:
            return "reached"
        if self.best and self.best[0] >= self.limit:
            return f"reached only {self.best[1]}"
        return "missed"

    def __str__(self) -> str:
        value = self.why_not if self.value is None else f"{self.value:.4g} of {self.limit:g}"
        best = f"; {self.best[0]:.4g} {self.best[1]}" if self.best else ""
        return f"{self.word}  {self.goal}, {self.conditions}: {value}{best}"


def judge(outcomes: Sequence[Outcome], trial: str = "") -> list[Verdict]:
    """Judge every goal in each precision, size and batch.

    Args:
        outcomes: What was measured.
        trial: Why these figures count for nothing; '' where they count.
    """
    verdicts = []
    for precision in PRECISIONS:
        conditions = Conditions("eval", precision, CLASSIFY, BATCHES[CLASSIFY][0])
        verdicts.append(rate_of_paper(outcomes, conditions, trial))
    for precision, size in product(PRECISIONS, BATCHES):
        for batch in BATCHES[size]:
            conditions = Conditions("eval", precision, size, batch)
            verdicts.append(over_upstream(outcomes, conditions, trial))
            if size == DETECT:
                verdicts.append(over_swin(outcomes, conditions, trial))
    return verdicts


def summary(verdicts: Sequence[Verdict]) -> list[str]:
    """A line for each goal that was measured, and one for all that were not for the same reason."""
    missing: dict[tuple[str, str], list[str]] = {}
    for verdict in verdicts:
        if verdict.value is None:
            missing.setdefault((verdict.goal, verdict.why_not), []).append(verdict.conditions)
    return [
        *(str(verdict) for verdict in verdicts if verdict.value is not None),
        *(f"not measured  {goal} ({', '.join(where)}): {why}"
          for (goal, why), where in missing.items()),
    ]  # fmt: skip


def rate_of_paper(outcomes: Sequence[Outcome], conditions: Conditions, trial: str) -> Verdict:
    """The throughput that the paper gives, of the whole classifier there, of the backbone here."""
    goal = f"images/s of {MAIN} over the paper's on an A100"
    main = result_of(outcomes, DEPLOYED, conditions)
    if trial or main is None:
        why_not = trial or missing_of(outcomes, [DEPLOYED], conditions)
        return Verdict(goal, str(conditions), PAPERS_RATE, None, why_not=why_not)
    rates = {
        mode: found.images_per_second
        for mode in MODES
        if (found := result_of(outcomes, f"{MAIN}:{mode}", conditions))
    }
    return Verdict(goal, str(conditions), PAPERS_RATE, main.images_per_second, best_of(rates))


def over_upstream(outcomes: Sequence[Outcome], conditions: Conditions, trial: str) -> Verdict:
    """Throughput over the reference implementation's in eager mode."""
    theirs = f"{UPSTREAM}:eager"
    pairs = dict.fromkeys(MODES, theirs)
    goal = f"throughput of {MAIN} over {theirs}"
    return compared(goal, OVER_UPSTREAM, outcomes, theirs, pairs, conditions, trial)


def over_swin(outcomes: Sequence[Outcome], conditions: Conditions, trial: str) -> Verdict:
    """Throughput over Swin-T's, each in the same mode but for ours being deployed."""
    pairs = {
        mode: f"swin_t:{mode.removeprefix('deploy+')}" for mode in MODES if mode != "deploy+cast"
    }
    goal = f"throughput of {MAIN} over swin_t"
    return compared(goal, OVER_SWIN, outcomes, "swin_t:eager", pairs, conditions, trial)


def compared(
    goal: str,
    limit: float,
    outcomes: Sequence[Outcome],
    theirs: str,
    pairs: dict[str, str],
    conditions: Conditions,
    trial: str,
) -> Verdict:
    """Ours, deployed, over theirs; and the best of other modes of ours over what each is beside."""
    missing = trial or missing_of(outcomes, [DEPLOYED, theirs], conditions)
    if missing:
        return Verdict(goal, str(conditions), limit, None, why_not=missing)
    others = {
        mode: value
        for mode, other in pairs.items()
        if (value := quotient(outcomes, f"{MAIN}:{mode}", other, conditions)) is not None
    }
    value = quotient(outcomes, DEPLOYED, theirs, conditions)
    return Verdict(goal, str(conditions), limit, value, best_of(others))


def quotient(
    outcomes: Sequence[Outcome], ours: str, theirs: str, conditions: Conditions
) -> float | None:
    """Throughput of one over that of another, both over the same baseline in its own rounds."""
    found = [result_of(outcomes, name, conditions) for name in (ours, theirs)]
    ratios = [one.ratio for one in found if one and one.ratio]
    return ratios[0] / ratios[1] if len(ratios) == 2 else None


def best_of(values: dict[str, float]) -> tuple[float, str] | None:
    """The largest value and how it was had."""
    if not values:
        return None
    mode = max(values, key=lambda mode: values[mode])
    return values[mode], f"with {mode}"


def result_of(outcomes: Sequence[Outcome], name: str, conditions: Conditions) -> Result | None:
    """The result of 'MODEL:MODE', if it was measured beside the deployed main model."""
    outcome = of(outcomes, name, conditions)
    return outcome.result if outcome and outcome.baseline == DEPLOYED else None


def missing_of(outcomes: Sequence[Outcome], names: Sequence[str], conditions: Conditions) -> str:
    """Why one of these has no result; '' where all have."""
    for name in names:
        if result_of(outcomes, name, conditions) is None:
            outcome = of(outcomes, name, conditions)
            return f"{name}: {outcome.trouble if outcome else 'left out'}"
    return ""
