"""Average precision, and what it gains where the errors of a kind are mended."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .boxes import Picture
from .matching import ERRORS, Kind, Sorting, sort_errors

MOST = 100  # detections of a class on a picture that count, as in COCO's evaluation
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class _Ranking:
    """All detections that count, of all pictures.

    Attributes:
        scores: (n,).
        labels: Their classes, (n,).
        right: Whether each found its object, (n,).
        objects: How many objects each class has, (classes,).
    """

    scores: np.ndarray
    labels: np.ndarray
    right: np.ndarray
    objects: np.ndarray


@dataclass(frozen=True)
class Gains:
    """Average precision at an overlap of 0.5.

    Attributes:
        by_class: Of each class, (classes,); NaN for one without objects.
        mended: The mean that there would be if no error of a kind had been made.
    """

    by_class: np.ndarray
    mended: dict[Kind, float]

    @property
    def mean(self) -> float:
        """Over the classes that have objects; NaN where none has."""
        return _mean(self.by_class)

    def gain(self, kind: Kind) -> float:
        """What mending the errors of a kind adds to the mean. The gains of kinds do not add up."""
        return self.mended[kind] - self.mean


def measure_gains(pictures: Sequence[Picture], classes: int) -> Gains:
    """Average precision at an overlap of 0.5, with each kind of error and without it.

    Mending takes doubles, detections of background and those wrong in both ways out; it gives a
    detection of the wrong class the right one, and one that is only near its object the object's
    place, or takes it out where its object is found already; it takes missed objects out of the
    count (TIDE, section 2.3).
    """
    sortings = [sort_errors(picture.first(MOST)) for picture in pictures]
    kinds, partners, ranking = _gather(sortings, classes)
    truth_labels = _joined([one.picture.truth_labels for one in sortings], int)
    truth_kinds = _joined([one.truth_kinds for one in sortings], object)
    mended = {}
    for kind in ERRORS:
        if kind is Kind.MISSED:
            missed = np.bincount(truth_labels[truth_kinds == kind], minlength=classes)
            better = _Ranking(
                ranking.scores, ranking.labels, ranking.right, ranking.objects - missed
            )
        elif kind in (Kind.CLASS, Kind.PLACE):
            better = _put_right(ranking, kinds == kind, partners, truth_labels, truth_kinds)
        else:
            better = _without(ranking, kinds == kind)
        mended[kind] = _mean(_by_class(better))
    return Gains(_by_class(ranking), mended)


def average_precision(scores: np.ndarray, right: np.ndarray, objects: int) -> float:
    """Mean of the precision at 101 recalls, as COCO's evaluation interpolates it.

    Args:
        scores: Of the detections, (n,).
        right: Whether each is right, (n,).
        objects: How many could be found; without any the result is NaN.
    """
    if not objects:
        return float("nan")
    hits = right[np.argsort(-scores, kind="stable")]
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]  # the best at this recall or above
    places = np.searchsorted(found / objects, _RECALLS, side="left")
    return float(np.append(precision, 0.0)[places].mean())


def _gather(sortings: Sequence[Sorting], classes: int) -> tuple[np.ndarray, np.ndarray, _Ranking]:
    """Kinds and partners of all detections but ignored ones, and their ranking.

    Partners are numbered through all pictures.
    """
    starts = np.cumsum([0, *(len(one.picture.truth) for one in sortings)])[:-1]
    kinds = _joined([one.kinds for one in sortings], object)
    partners = _joined(
        [
            np.where(one.partners < 0, -1, one.partners + start)
            for one, start in zip(sortings, starts, strict=True)
        ],
        int,
    )
    counted = kinds != Kind.IGNORED
    labelled = [one.picture.truth_labels[~one.picture.ignored] for one in sortings]
    ranking = _Ranking(
        _joined([one.picture.scores for one in sortings], float)[counted],
        _joined([one.picture.labels for one in sortings], int)[counted],
        (kinds == Kind.FOUND)[counted],
        np.bincount(_joined(labelled, int), minlength=classes),
    )
    return kinds[counted], partners[counted], ranking


def _joined(parts: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype=dtype), *parts])


def _without(ranking: _Ranking, dropped: np.ndarray) -> _Ranking:
    kept = ~dropped
    return _Ranking(
        ranking.scores[kept], ranking.labels[kept], ranking.right[kept], ranking.objects
    )


def _put_right(
    ranking: _Ranking,
    chosen: np.ndarray,
    partners: np.ndarray,
    truth_labels: np.ndarray,
    truth_kinds: np.ndarray,
) -> _Ranking:
    """Let the chosen detections find their objects: of each object the surest, the rest go."""
    labels, right, dropped = ranking.labels.copy(), ranking.right.copy(), chosen.copy()
    taken = truth_kinds == Kind.FOUND
    numbers = np.flatnonzero(chosen)
    for number in numbers[np.argsort(-ranking.scores[numbers], kind="stable")]:
        partner = partners[number]
        if not taken[partner]:
            taken[partner], dropped[number] = True, False
            labels[number], right[number] = truth_labels[partner], True
    return _without(_Ranking(ranking.scores, labels, right, ranking.objects), dropped)


def _by_class(ranking: _Ranking) -> np.ndarray:
    values = []
    for label, objects in enumerate(ranking.objects):
        own = ranking.labels == label
        values.append(average_precision(ranking.scores[own], ranking.right[own], int(objects)))
    return np.array(values)


def _mean(by_class: np.ndarray) -> float:
    known = by_class[~np.isnan(by_class)]
    return float(known.mean()) if known.size else float("nan")
