"""Which curves of several runs are drawn, one panel a name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmfastervit.signatures import nearest

from .logs import Curve, RunLog

MOST_RUNS = 8  # as many as there are colours that are told apart
_MOST_METRICS = 4
# Metrics that stand for an evaluation, by the end of their name, in this order.
_LEADING = ("mAP", "AP50", "mAP_50", "mIoU", "PQ", "mDice", "mFscore", "aAcc")
_LABELS = {
    "loss": "loss",
    "lr": "learning rate",
    "time": "seconds an iteration",
    "memory": "memory, MB",
}
_SHOWN = ("loss", "lr")  # and the metrics, and then:
_SHOWN_LAST = ("time",)


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    Attributes:
        name: Of the scalar.
        label: What the axis says.
        curves: A curve for each run, in the order of the runs; None where a run has none.
        is_metric: Whether it is of evaluations: few points, and never smoothed.
    """

    name: str
    label: str
    curves: tuple[Curve | None, ...]
    is_metric: bool


def choose_panels(runs: Sequence[RunLog], names: Sequence[str] | None = None) -> list[Panel]:
    """The panels of some runs: loss, rate, leading metrics and time, or those that are named.

    Raises:
        ValueError: No run has a scalar of that name.
    """
    metrics = _union(runs, "evaluation")
    known = list(dict.fromkeys([*metrics, *_union(runs, "training")]))
    for name in names or ():
        if name not in known:
            raise ValueError(
                f"--metric {name}: no run has logged it{_meant(name, known)}; there are:"
                f" {', '.join(sorted(known))}"
            )
    return [
        Panel(
            name,
            _LABELS.get(name, name),
            tuple(run.curves.get(name) for run in runs),
            any(name in run.evaluation for run in runs),
        )
        for name in dict.fromkeys(names or _usual(known, metrics))
    ]


def _meant(word: str, known: Sequence[str]) -> str:
    """The name that was probably meant, whatever the case, and with or without what leads it."""
    low = word.lower()
    alike = [name for name in known if name.lower() == low]
    alike += [name for name in known if name.lower().endswith((f"/{low}", f"_{low}"))]
    return f", did you mean {alike[0]!r}?" if alike else nearest(word, known)


def _union(runs: Sequence[RunLog], part: str) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in getattr(run, part)))


def _usual(known: Sequence[str], metrics: Sequence[str]) -> list[str]:
    """What is drawn unless something is asked for."""
    first = [name for name in _SHOWN if name in known]
    if "loss" not in first:
        first += [name for name in known if name.startswith("loss")][:1]
    leading = [name for end in _LEADING for name in metrics if name.endswith(end)]
    chosen = list(dict.fromkeys(leading or metrics))[:_MOST_METRICS]
    return [*first, *chosen, *(name for name in _SHOWN_LAST if name in known)] or list(known)


def smoothed(values: np.ndarray, count: int) -> np.ndarray:
    """The mean of each value and those before it, ``count`` in all; values not finite count not.

    Returns:
        (n,); NaN where none of them is finite.
    """
    finite = np.isfinite(values)
    sums = np.cumsum(np.where(finite, values, 0.0))
    counts = np.cumsum(finite).astype(float)
    sums[count:] -= sums[:-count].copy()
    counts[count:] -= counts[:-count].copy()
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def names_of(paths: Sequence[Path]) -> list[str]:
    """Short names of runs: the last part of each path, with as many before it as tell them apart.

    The same path given twice has the same name twice.
    """
    parts = [path.resolve().parts for path in paths]
    names = []
    for own in parts:
        others = [other for other in parts if other != own]
        length = next(
            (n for n in range(1, len(own)) if all(own[-n:] != other[-n:] for other in others)),
            len(own),
        )
        names.append("/".join(own[-length:]))
    return names
