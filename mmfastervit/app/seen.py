"""What a visitor looks at, kept in little memory from one click to the next."""

import zlib
from dataclasses import dataclass, replace

import numpy as np

from mmfastervit.inference.results import Detections, Prediction


@dataclass(frozen=True)
class PackedMask:
    """A mask, compressed: at most a bit for each pixel of the box around it, mostly far less.

    Attributes:
        top: First row in which something is set.
        left: First column in which something is set.
        sides: Height and width of the box around all that is set; 0 where nothing is.
        content: The box's bits, row by row, compressed.
    """

    top: int
    left: int
    sides: tuple[int, int]
    content: bytes

    @classmethod
    def of(cls, mask: np.ndarray) -> "PackedMask":
        """Pack a mask, bool (H, W)."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not rows.size:
            return cls(0, 0, (0, 0), b"")
        top, left = int(rows[0]), int(columns[0])
        box = mask[top : rows[-1] + 1, left : columns[-1] + 1]
        content = zlib.compress(np.packbits(box).tobytes(), level=1)
        return cls(top, left, (box.shape[0], box.shape[1]), content)

    def unpack_into(self, mask: np.ndarray) -> None:
        """Set the same pixels in ``mask``, bool (H, W), where none is set yet."""
        height, width = self.sides
        if not height:
            return
        bits = np.frombuffer(zlib.decompress(self.content), dtype=np.uint8)
        box = np.unpackbits(bits, count=height * width).reshape(height, width)
        mask[self.top : self.top + height, self.left : self.left + width] = box


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture and what a model found in it.

    Attributes:
        image: uint8 (H, W, 3), blue first.
        prediction: Of this picture, without masks.
        masks: Of the prediction's objects, in their order; None of a model without masks.
    """

    image: np.ndarray
    prediction: Prediction
    masks: tuple[PackedMask, ...] | None

    @classmethod
    def of(cls, image: np.ndarray, prediction: Prediction) -> "Seen":
        """Keep a picture with its prediction."""
        if not isinstance(prediction, Detections) or prediction.masks is None:
            return cls(image, prediction, None)
        packed = tuple(map(PackedMask.of, prediction.masks))
        return cls(image, replace(prediction, masks=None), packed)

    def kept(self, threshold: float) -> Prediction:
        """The prediction; of a detector, with objects of at least this score and their masks."""
        if not isinstance(self.prediction, Detections):
            return self.prediction
        found = self.prediction.kept(threshold)
        if self.masks is None:
            return found
        masks = np.zeros((len(found), *self.image.shape[:2]), dtype=bool)
        for mask, number in zip(
            masks, np.flatnonzero(self.prediction.scores >= threshold), strict=True
        ):
            self.masks[number].unpack_into(mask)
        return replace(found, masks=masks)
