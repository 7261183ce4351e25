"""How a data set's pipeline decodes files, and to what size it brings images."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmfastervit.config.tree import is_remote

from .pictures import Decoding
from .sources import Source

_RESIZES = ("Resize", "RandomResize", "RandomChoiceResize")


def image_decoding(source: Source) -> Decoding | None:
    """How the run decodes pictures; None where another transform than the usual one reads them."""
    loader = source.transform("LoadImageFromFile")
    if loader is None or is_remote(loader):
        return None
    return Decoding(loader.get("color_type", "color"), loader.get("imdecode_backend", "cv2"))


def map_decoding(source: Source) -> Decoding | None:
    """How the run decodes label maps; None where another transform than the usual one does."""
    loader = source.transform("LoadAnnotations")
    if loader is None or is_remote(loader):
        return None
    return Decoding("unchanged", loader.get("imdecode_backend", "pillow"))


@dataclass(frozen=True)
class Scale:
    """The size to which a pipeline brings images.

    Attributes:
        width: In pixels; with ``keep_ratio`` the larger of both bounds the longer side.
        height: In pixels.
        keep_ratio: Whether one factor holds for both sides.
        varies: Whether it is the middle one of several.
    """

    width: float
    height: float
    keep_ratio: bool
    varies: bool = False

    def __str__(self) -> str:
        text = f"{self.width:g}x{self.height:g}"
        return f"{text} (the middle of its scales)" if self.varies else text

    def factors(self, sizes: np.ndarray) -> np.ndarray:
        """What widths and heights are multiplied by.

        Args:
            sizes: Width and height of images in pixels (N, 2).

        Returns:
            Their factors (N, 2).
        """
        wanted = np.array([self.width, self.height], dtype=float)
        if not self.keep_ratio:
            return wanted / sizes
        long, short = wanted.max() / sizes.max(axis=1), wanted.min() / sizes.min(axis=1)
        return np.minimum(long, short)[:, None].repeat(2, axis=1)


def scale_of(source: Source) -> Scale | None:
    """The size to which the pipeline brings images; None where it does not resize them to one."""
    resize = source.transform(*_RESIZES)
    if resize is None:
        return None
    scales = _pairs(resize.get("scales") or resize.get("scale"))
    if not scales:
        return None
    low, high = resize.get("ratio_range") or (1, 1)
    ratio = 1 if low <= 1 <= high else (low + high) / 2
    width, height = sorted(scales, key=lambda scale: scale[0] * scale[1])[len(scales) // 2]
    varies = low != high or len(scales) > 1
    return Scale(width * ratio, height * ratio, bool(resize.get("keep_ratio")), varies)


def _pairs(scales: Any) -> list[tuple[float, float]]:
    """The scales that a transform chooses from; none where it has them in another form."""
    if isinstance(scales, (list, tuple)) and len(scales) == 2 and _are_numbers(scales):
        return [(scales[0], scales[1])]
    if isinstance(scales, (list, tuple)):
        return [pair for one in scales for pair in _pairs(one)]
    return []


def _are_numbers(values: Any) -> bool:
    return all(isinstance(value, (int, float)) for value in values)
