"""Labelled and predicted boxes of pictures, and how far boxes overlap."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

SIZES = ("small", "medium", "large")
_SIDES = (32, 96)  # pixels: COCO's limits, of the square root of the area


@dataclass(frozen=True)
class Picture:
    """What a picture holds and what was found in it. Boxes are x1, y1, x2, y2 in its pixels.

    Attributes:
        path: Of the file.
        truth: Labelled boxes, (g, 4).
        truth_labels: Their classes, (g,).
        ignored: Which of them mark a region of objects that count neither way, (g,).
        boxes: Predicted boxes, (d, 4), those of the highest score first.
        labels: Their classes, (d,).
        scores: (d,).
    """

    path: str
    truth: np.ndarray
    truth_labels: np.ndarray
    ignored: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray

    def only(self, chosen: np.ndarray) -> "Picture":
        """The picture with some of its predictions, given as (d,) truth values or numbers."""
        return replace(
            self, boxes=self.boxes[chosen], labels=self.labels[chosen], scores=self.scores[chosen]
        )

    def above(self, score: float) -> "Picture":
        """The picture with the predictions of at least this score."""
        return self.only(self.scores >= score)

    def first(self, count: int) -> "Picture":
        """The picture with the ``count`` surest predictions of each class."""
        rank = np.zeros(len(self.labels), dtype=int)
        for label in np.unique(self.labels):
            of_class = self.labels == label
            rank[of_class] = np.arange(of_class.sum())
        return self.only(rank < count)


def make_picture(
    path: str,
    truth: Sequence,
    truth_labels: Sequence,
    ignored: Sequence,
    boxes: Sequence,
    labels: Sequence,
    scores: Sequence,
) -> Picture:
    """A picture of anything that makes arrays; predictions are sorted by score."""
    sure = np.asarray(scores, dtype=float).reshape(-1)
    order = np.argsort(-sure, kind="stable")
    return Picture(
        path,
        np.asarray(truth, dtype=float).reshape(-1, 4),
        np.asarray(truth_labels, dtype=int).reshape(-1),
        np.asarray(ignored, dtype=bool).reshape(-1),
        np.asarray(boxes, dtype=float).reshape(-1, 4)[order],
        np.asarray(labels, dtype=int).reshape(-1)[order],
        sure[order],
    )


def areas(boxes: np.ndarray) -> np.ndarray:
    """Areas of boxes, (n, 4) to (n,); one whose corners are the wrong way round has none."""
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return sides[:, 0] * sides[:, 1]


def size_of(boxes: np.ndarray) -> np.ndarray:
    """Number of each box's size in :data:`SIZES`, by COCO's limits: below 32^2, below 96^2."""
    return np.searchsorted(np.square(_SIDES), areas(boxes), side="right")


def overlaps(boxes: np.ndarray, others: np.ndarray, of_first: bool = False) -> np.ndarray:
    """Intersection over union of each pair, (n, 4) and (m, 4) to (n, m).

    Args:
        boxes: (n, 4).
        others: (m, 4).
        of_first: Divide by the area of the first box instead, as COCO does for ignored regions.
    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    sides = np.clip(high - low, 0, None)
    shared = sides[..., 0] * sides[..., 1]
    whole = areas(boxes)[:, None] + np.zeros(len(others))
    if not of_first:
        whole = whole + areas(others)[None] - shared
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
