"""What a model predicts of one picture, as plain arrays."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from mmfastervit.palettes import Colour

UNTOLD = 255  # in label maps: a class that was not asked for


@dataclass(frozen=True, eq=False)
class Detections:
    """Objects found in a picture, the surest first.

    Attributes:
        boxes: float32 (N, 4): left, top, right, bottom in pixels of the picture that was given.
        scores: float32 (N,), 0 to 1.
        labels: int64 (N,): places in ``classes``.
        classes: Names of all classes of the model.
        palette: A colour (red, green, blue) for each class.
        masks: bool (N, H, W) in the size of the picture; None of a model without masks.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    masks: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def names(self) -> list[str]:
        """The class of each object, by name."""
        return [self.classes[label] for label in self.labels]

    def kept(self, score_thr: float, classes: Collection[str] | None = None) -> "Detections":
        """Those of at least this score, and of these classes if they are named."""
        keep = self.scores >= score_thr
        if classes is not None:
            asked = [label for label, name in enumerate(self.classes) if name in classes]
            keep &= np.isin(self.labels, asked)
        masks = None if self.masks is None else self.masks[keep]
        return replace(
            self,
            boxes=self.boxes[keep],
            scores=self.scores[keep],
            labels=self.labels[keep],
            masks=masks,
        )

    def to_coco(self, image_id: int) -> list[dict[str, Any]]:
        """The same as annotations of COCO's format, with a score each.

        ``category_id`` is the label plus one, as COCO's ids begin at one; masks are run-length
        encoded. Boxes are left, top, width, height.
        """
        found = []
        for number, (left, top, right, bottom) in enumerate(self.boxes.astype(float).tolist()):
            width, height = max(right - left, 0.0), max(bottom - top, 0.0)
            one: dict[str, Any] = dict(
                image_id=image_id,
                category_id=int(self.labels[number]) + 1,
                bbox=[round(side, 2) for side in (left, top, width, height)],
                score=round(float(self.scores[number]), 5),
                area=round(width * height, 2),
                iscrowd=0,
            )
            if self.masks is not None:
                one["segmentation"] = _encoded(self.masks[number])
                one["area"] = int(self.masks[number].sum())
            found.append(one)
        return found

    def to_supervision(self) -> Any:
        """The same as ``supervision.Detections``.

        Raises:
            ImportError: The library supervision is not installed.
        """
        return _supervision().Detections(
            xyxy=self.boxes.astype(np.float32),
            mask=self.masks,
            confidence=self.scores,
            class_id=self.labels.astype(int),
            data={"class_name": np.array(self.names, dtype=str)},
        )


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The class of each pixel of a picture.

    Attributes:
        labels: uint8 (H, W), or uint16 of more than 255 classes: places in ``classes``;
            :data:`UNTOLD` (of uint16: 65535) where another class is than was asked for.
        classes: Names of all classes of the model.
        palette: A colour (red, green, blue) for each class.
    """

    labels: np.ndarray
    classes: tuple[str, ...]
    palette: tuple[Colour, ...]

    def kept(self, classes: Collection[str] | None = None) -> "Segmentation":
        """The same with all other classes than these untold."""
        if classes is None:
            return self
        asked = [label for label, name in enumerate(self.classes) if name in classes]
        untold = np.iinfo(self.labels.dtype).max
        labels = np.where(np.isin(self.labels, asked), self.labels, untold)
        return replace(self, labels=labels.astype(self.labels.dtype))

    def shares(self) -> dict[str, float]:
        """How much of the picture each class takes, 0 to 1, the largest first."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.classes))[: len(self.classes)]
        order = np.argsort(-counts, kind="stable")
        return {self.classes[i]: counts[i] / self.labels.size for i in order if counts[i]}

    def to_supervision(self) -> Any:
        """The same as ``supervision.Detections``: a mask for each class that is there.

        Raises:
            ImportError: The library supervision is not installed.
        """
        supervision = _supervision()
        there = [label for label in np.unique(self.labels) if label < len(self.classes)]
        masks = self.labels == np.array(there).reshape(-1, 1, 1)
        return supervision.Detections(
            xyxy=supervision.mask_to_xyxy(masks).astype(np.float32),
            mask=masks,
            class_id=np.array(there, dtype=int),
            data={"class_name": np.array([self.classes[label] for label in there], dtype=str)},
        )


Prediction = Detections | Segmentation


def _encoded(mask: np.ndarray) -> dict[str, Any]:
    from pycocotools import mask as coco_masks  # mmdet needs it, mmseg does not

    code = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    return dict(size=[int(side) for side in code["size"]], counts=code["counts"].decode())


def _supervision() -> Any:
    if find_spec("supervision") is None:
        raise ImportError(
            "to_supervision() needs the library supervision: pip install 'mmfastervit[infer]'"
        )
    return import_module("supervision")
