"""Which classes are taken for which: counts by class and size, and confusion matrices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .boxes import SIZES, Picture, overlaps, size_of
from .matching import FOREGROUND, OF_DETECTIONS, OF_OBJECTS, Kind, Sorting


@dataclass(frozen=True)
class Tally:
    """How many detections and objects are of each kind, by class or by size.

    Attributes:
        rows: Names of the classes or sizes.
        detections: Counts of a kind of :data:`~.matching.OF_DETECTIONS` for each row.
        objects: Counts of a kind of :data:`~.matching.OF_OBJECTS` for each row.
    """

    rows: tuple[str, ...]
    detections: dict[Kind, np.ndarray]
    objects: dict[Kind, np.ndarray]


def tally_by_class(sortings: Sequence[Sorting], classes: Sequence[str]) -> Tally:
    """Count by class: detections by the class they were given, objects by their own."""
    return _tally(
        sortings,
        tuple(classes),
        [one.picture.labels for one in sortings],
        [one.picture.truth_labels for one in sortings],
    )


def tally_by_size(sortings: Sequence[Sorting]) -> Tally:
    """Count by size: detections by that of the object they belong to, or of their own box."""
    of_objects = [size_of(one.picture.truth) for one in sortings]
    of_detections = []
    for one, sizes in zip(sortings, of_objects, strict=True):
        own = size_of(one.picture.boxes)
        belongs = one.partners >= 0
        own[belongs] = sizes[one.partners[belongs]]
        of_detections.append(own)
    return _tally(sortings, SIZES, of_detections, of_objects)


def _tally(
    sortings: Sequence[Sorting],
    rows: tuple[str, ...],
    of_detections: Sequence[np.ndarray],
    of_objects: Sequence[np.ndarray],
) -> Tally:
    detections = {kind: np.zeros(len(rows), dtype=int) for kind in OF_DETECTIONS}
    objects = {kind: np.zeros(len(rows), dtype=int) for kind in OF_OBJECTS}
    for one, own, labelled in zip(sortings, of_detections, of_objects, strict=True):
        for kind, counts in detections.items():
            counts += np.bincount(own[one.kinds == kind], minlength=len(rows))
        for kind, counts in objects.items():
            counts += np.bincount(labelled[one.truth_kinds == kind], minlength=len(rows))
    return Tally(rows, detections, objects)


def detection_confusion(sortings: Sequence[Sorting], classes: int) -> np.ndarray:
    """Labelled class against predicted class, (classes + 1, classes + 1).

    A box and an object are paired at an overlap of 0.5, each at most once: right ones first, as
    they were found, then the surest of the others with the free object that it overlaps most. The
    last row has the detections without an object, the last column the objects without a detection;
    so a row adds up to the objects of its class, a column to the detections of it. Ignored ones are
    left out.
    """
    matrix = np.zeros((classes + 1, classes + 1), dtype=int)
    for one in sortings:
        picture = one.picture
        partners = _paired(picture, one)
        rows = np.where(partners < 0, classes, np.append(picture.truth_labels, -1)[partners])
        kept = one.kinds != Kind.IGNORED
        np.add.at(matrix, (rows[kept], picture.labels[kept]), 1)
        left = ~picture.ignored
        left[partners[partners >= 0]] = False
        np.add.at(matrix, (picture.truth_labels[left], classes), 1)
    return matrix


def _paired(picture: Picture, sorting: Sorting) -> np.ndarray:
    """The object that each detection is paired with, whatever its class, (d,); -1 for none."""
    found = sorting.kinds == Kind.FOUND
    partners = np.where(found, sorting.partners, -1)
    iou = overlaps(picture.boxes, picture.truth)
    iou[:, picture.ignored] = 0.0
    iou[:, partners[found]] = 0.0
    for number in np.flatnonzero(~found & (sorting.kinds != Kind.IGNORED)):
        if iou.shape[1] and iou[number].max() >= FOREGROUND:
            partners[number] = iou[number].argmax()
            iou[:, partners[number]] = 0.0
    return partners


def most_confused(
    matrix: np.ndarray, classes: int, count: int = 20
) -> list[tuple[int, int, int, float]]:
    """Pairs of classes that are taken for each other most, as labelled, predicted, count, share.

    The share is of the labelled class's row. The last row and column of a matrix with background
    are left out.
    """
    wrong = matrix[:classes, :classes].copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    pairs = [(int(number // classes), int(number % classes)) for number in order]
    whole = matrix.sum(axis=1)
    return [
        (row, column, int(wrong[row, column]), float(wrong[row, column] / whole[row]))
        for row, column in pairs
        if wrong[row, column]
    ]
