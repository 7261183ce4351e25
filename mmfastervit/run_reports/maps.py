"""Label maps beside predicted ones: confusion of classes, and how well a picture was told."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class MapPicture:
    """A picture's labels and prediction.

    Attributes:
        path: Of the file.
        truth: Class of each pixel, (H, W); numbers that are no class count not.
        predicted: (H, W).
        matrix: Labelled class against predicted class, in pixels, (classes, classes).
    """

    path: str
    truth: np.ndarray
    predicted: np.ndarray
    matrix: np.ndarray

    @property
    def iou(self) -> float:
        """Mean intersection over union of the classes that the labels have; NaN without labels."""
        present = self.matrix.sum(axis=1) > 0
        return float(class_iou(self.matrix)[present].mean()) if present.any() else float("nan")

    @property
    def accuracy(self) -> float:
        """Share of the labelled pixels that are right; NaN without labels."""
        whole = self.matrix.sum()
        return float(np.trace(self.matrix) / whole) if whole else float("nan")


def compare(path: str, truth: np.ndarray, predicted: np.ndarray, classes: int) -> MapPicture:
    """Count a picture's pixels by labelled and predicted class.

    Raises:
        ValueError: The two are of different sizes.
    """
    if truth.shape != predicted.shape:
        raise ValueError(
            f"{path}: the label map has {truth.shape[0]}x{truth.shape[1]} pixels, the prediction"
            f" {predicted.shape[0]}x{predicted.shape[1]}; in the test pipeline LoadAnnotations"
            " stands behind Resize"
        )
    labelled = (truth >= 0) & (truth < classes)
    pairs = truth[labelled].astype(np.int64) * classes + predicted[labelled]
    matrix = np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
    return MapPicture(path, truth, predicted, matrix)


def class_iou(matrix: np.ndarray) -> np.ndarray:
    """Intersection over union of each class, (classes, classes) to (classes,).

    NaN for one that is neither labelled nor predicted.
    """
    right = np.diag(matrix).astype(float)
    whole = matrix.sum(axis=0) + matrix.sum(axis=1) - right
    return np.divide(right, whole, out=np.full(len(right), np.nan), where=whole > 0)


@dataclass
class MapTally:
    """The pixels of all pictures, and the worst pictures; the others' maps are not kept.

    Attributes:
        classes: How many there are.
        keep: How many of the worst pictures are kept.
    """

    classes: int
    keep: int
    matrix: np.ndarray = field(init=False)
    pictures: int = 0
    unlabelled: int = 0
    _worst: list[tuple[float, int, MapPicture]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.matrix = np.zeros((self.classes, self.classes), dtype=np.int64)

    def add(self, picture: MapPicture) -> None:
        """Count a picture."""
        self.pictures += 1
        self.matrix += picture.matrix
        if np.isnan(picture.iou):
            self.unlabelled += 1
            return
        heapq.heappush(self._worst, (-picture.iou, -self.pictures, picture))
        if len(self._worst) > self.keep:
            heapq.heappop(self._worst)

    def worst(self) -> Iterator[MapPicture]:
        """The worst pictures, the worst first; those without an error are none."""
        for negated, _, picture in sorted(self._worst, key=lambda item: (-item[0], -item[1])):
            if negated > -1:
                yield picture
