"""Which detections are right, and of which kind each error is.

The kinds are those of D. Bolya, S. Foley, J. Hays and J. Hoffman, TIDE: A General Toolbox for
Identifying Object Detection Errors (ECCV 2020), section 2. Where a detection fits several, the
first of :class:`Kind` holds, so that each has one.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from .boxes import Picture, overlaps

FOREGROUND = 0.5  # intersection over union from which a box is in its object's place
BACKGROUND = 0.1  # below it, a box has nothing to do with an object


class Kind(Enum):
    """What a detection or a labelled object turned out to be.

    A detection is of any kind but ``MISSED``; an object is ``FOUND``, ``CLASS``, ``PLACE``,
    ``MISSED`` or ``IGNORED``.
    """

    FOUND = "found"
    IGNORED = "ignored"
    DOUBLE = "double"
    CLASS = "class"
    PLACE = "place"
    BOTH = "both"
    BACKGROUND = "background"
    MISSED = "missed"


ERRORS = (Kind.MISSED, Kind.DOUBLE, Kind.CLASS, Kind.PLACE, Kind.BOTH, Kind.BACKGROUND)
OF_DETECTIONS: tuple[Kind, ...] = tuple(kind for kind in Kind if kind is not Kind.MISSED)
OF_OBJECTS = (Kind.FOUND, Kind.CLASS, Kind.PLACE, Kind.MISSED, Kind.IGNORED)

MEANINGS = {
    Kind.FOUND: f"in the place (IoU of at least {FOREGROUND}) of an object of its class that no "
    "surer detection has taken",
    Kind.IGNORED: f"no object's, and at least {FOREGROUND} of it lies in a region of its class "
    "that the labels leave out (COCO's iscrowd)",
    Kind.DOUBLE: f"in the place (IoU of at least {FOREGROUND}) of an object of its class that a "
    "surer detection has found already",
    Kind.CLASS: f"in the place (IoU of at least {FOREGROUND}) of an object of another class",
    Kind.PLACE: f"near an object of its class (IoU of at least {BACKGROUND}), and not in its place",
    Kind.BOTH: f"near an object of another class (IoU of at least {BACKGROUND}), and not in its "
    "place",
    Kind.BACKGROUND: f"not near any object (IoU below {BACKGROUND})",
    Kind.MISSED: "an object that was not found, and that no detection of the kinds class and place "
    "stands for",
}


@dataclass(frozen=True)
class Sorting:
    """What became of the detections and objects of a picture.

    Attributes:
        picture: The picture.
        kinds: Of its detections, (d,), each a :class:`Kind`.
        partners: The object that each detection found or was near, (d,); -1 where there is none.
        truth_kinds: Of its objects, (g,).
    """

    picture: Picture
    kinds: np.ndarray
    partners: np.ndarray
    truth_kinds: np.ndarray

    @property
    def right(self) -> int:
        """How many objects were found."""
        return int((self.kinds == Kind.FOUND).sum())

    @property
    def wrong(self) -> int:
        """How many detections are errors."""
        return len(self.kinds) - self.right - int((self.kinds == Kind.IGNORED).sum())

    @property
    def not_found(self) -> int:
        """How many objects were not found."""
        counted = self.truth_kinds != Kind.IGNORED
        return int((counted & (self.truth_kinds != Kind.FOUND)).sum())

    @property
    def f1(self) -> float:
        """Twice the objects found over objects and detections; 1 where there are neither."""
        whole = 2 * self.right + self.wrong + self.not_found
        return 2 * self.right / whole if whole else 1.0


def sort_errors(picture: Picture) -> Sorting:
    """Give each detection and each object of a picture its kind."""
    iou = overlaps(picture.boxes, picture.truth)
    same = picture.labels[:, None] == picture.truth_labels[None]
    counted = ~picture.ignored[None]
    partners = _found(np.where(same & counted, iou, 0.0))
    kinds = np.full(len(picture.boxes), Kind.FOUND, dtype=object)
    own, other = np.where(same & counted, iou, 0.0), np.where(~same & counted, iou, 0.0)
    in_region = np.where(
        same & ~counted, overlaps(picture.boxes, picture.truth, of_first=True), 0.0
    )
    for number in np.flatnonzero(partners < 0):
        kinds[number], partners[number] = _kind_of(own[number], other[number], in_region[number])
    return Sorting(picture, kinds, partners, _truth_kinds(picture, kinds, partners))


def _found(iou: np.ndarray) -> np.ndarray:
    """The object that each detection finds, (d, g) to (d,); -1 for none.

    As COCO's evaluation does: the surest detection first, each the object of its class that it
    overlaps most among those that are not taken; of equal ones the last.
    """
    partners = np.full(len(iou), -1)
    free = np.ones(iou.shape[1], dtype=bool)
    for number, row in enumerate(iou):
        open_to = np.where(free, row, 0.0)
        if open_to.size and open_to.max() >= FOREGROUND:
            best = len(open_to) - 1 - int(open_to[::-1].argmax())
            partners[number], free[best] = best, False
    return partners


def _kind_of(own: np.ndarray, other: np.ndarray, in_region: np.ndarray) -> tuple[Kind, int]:
    """Kind and partner of a detection that found nothing, by its overlaps with objects, (g,)."""
    for kind, overlap, least in (
        (Kind.IGNORED, in_region, FOREGROUND),
        (Kind.DOUBLE, own, FOREGROUND),
        (Kind.CLASS, other, FOREGROUND),
        (Kind.PLACE, own, BACKGROUND),
        (Kind.BOTH, other, BACKGROUND),
    ):
        if overlap.size and overlap.max() >= least:
            return kind, int(overlap.argmax())
    return Kind.BACKGROUND, -1


def _truth_kinds(picture: Picture, kinds: np.ndarray, partners: np.ndarray) -> np.ndarray:
    """Kind of each object, (g,): the first of the list that a detection makes it."""
    truth_kinds = np.full(len(picture.truth), Kind.MISSED, dtype=object)
    for kind in (Kind.PLACE, Kind.CLASS, Kind.FOUND):
        truth_kinds[partners[kinds == kind]] = kind
    truth_kinds[picture.ignored] = Kind.IGNORED
    return truth_kinds
