"""Large pictures in tiles: what is small in them is lost when they are scaled to the model's size.

Detections of tiles are cut and merged by the library SAHI's functions. Not by its wrapper of mmdet,
which executes a config by its path, nor by its ``get_sliced_prediction``, which turns masks into
polygons without holes and turns off Pillow's limit on pixels for the whole process. Segmentation
in tiles is mmseg's own sliding window.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from mmengine.config import ConfigDict

from .pictures import Unreadable
from .results import Detections

_MATCH = "IOS"  # overlap over the smaller box, as an object that is cut is smaller than the whole
_OVERLAP_TO_MERGE = 0.5
_LARGEST_MASKS = 8 << 30  # bytes


@dataclass(frozen=True)
class Tiles:
    """How pictures are cut.

    Attributes:
        width: Of a tile, in pixels of the picture.
        height: Of a tile.
        overlap: Of neighbours, as a share of a tile's sides; objects of up to this size are seen
            whole in one of them.

    Raises:
        ValueError: A number is out of its range.
    """

    width: int
    height: int
    overlap: float = 0.2

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 32:
            raise ValueError(f"a tile has at least 32x32 pixels, not {self.width}x{self.height}")
        if not 0 <= self.overlap <= 0.9:
            raise ValueError(f"the overlap of tiles must be from 0 to 0.9, not {self.overlap}")

    @property
    def stride(self) -> tuple[int, int]:
        """How far down, and how far right, the next tile begins."""
        share = 1 - self.overlap
        return max(1, round(self.height * share)), max(1, round(self.width * share))

    @staticmethod
    def require_library() -> None:
        """Raise ValueError, naming the extra that brings it, unless SAHI is here."""
        if find_spec("sahi") is None:
            raise ValueError(
                "detection in tiles needs the library SAHI: pip install 'mmfastervit[infer]', or "
                "in a checkout pip install -e '.[infer]'"
            )

    def boxes(self, height: int, width: int) -> list[list[int]]:
        """Left, top, right and bottom of each tile of a picture."""
        from sahi.slicing import get_slice_bboxes

        return get_slice_bboxes(
            height,
            width,
            slice_height=self.height,
            slice_width=self.width,
            auto_slice_resolution=False,
            overlap_height_ratio=self.overlap,
            overlap_width_ratio=self.overlap,
        )


@contextmanager
def sliding(model: Any, tiles: Tiles | None) -> Iterator[None]:
    """Let a segmentor of mmseg go over pictures in tiles.

    Raises:
        ValueError: It is of a kind that can't.
    """
    if tiles is None:
        yield
        return
    if not hasattr(model, "slide_inference"):
        raise ValueError(f"a {type(model).__name__} can't take pictures in tiles")
    before = model.test_cfg
    size = (tiles.height, tiles.width)
    model.test_cfg = ConfigDict(before or {}, mode="slide", crop_size=size, stride=tiles.stride)
    try:
        yield
    finally:
        model.test_cfg = before


def detect_in_tiles(
    image: np.ndarray,
    tiles: Tiles,
    detect: Callable[[Sequence[np.ndarray]], list[Detections]],
) -> Detections:
    """Detect in each tile of an image and in the whole of it, and merge what was found twice.

    Args:
        image: (H, W, channels).
        tiles: How it is cut.
        detect: The detections of each of several images.

    Raises:
        Unreadable: The masks of all objects, each as large as the image, would not fit in memory.
    """
    height, width = image.shape[:2]
    places = tiles.boxes(height, width)
    found = detect([image[top:bottom, left:right] for left, top, right, bottom in places])
    corners = [place[:2] for place in places]
    if len(places) > 1:  # objects larger than a tile
        found = [*found, *detect([image])]
        corners.append([0, 0])
    return _merged(found, corners, (height, width))


def _merged(
    found: Sequence[Detections], corners: Sequence[Sequence[int]], size: tuple[int, int]
) -> Detections:
    """One set of detections of several parts, what overlaps made one."""
    shifts = [np.array([*corner, *corner], dtype=np.float32) for corner in corners]
    boxes = np.concatenate([one.boxes + shift for one, shift in zip(found, shifts, strict=True)])
    scores = np.concatenate([one.scores for one in found])
    labels = np.concatenate([one.labels for one in found])
    groups = _groups(boxes, scores, labels)
    surest = [group[int(np.argmax(scores[group]))] for group in groups]
    masks = None
    if any(one.masks is not None for one in found):
        masks = _joined_masks(found, corners, groups, size)
    return replace(
        found[0],
        boxes=np.array([_around(boxes[group]) for group in groups]).reshape(-1, 4),
        scores=scores[surest],
        labels=labels[surest],
        masks=masks,
    )


def _groups(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> list[list[int]]:
    """Which boxes are of one object, the surest first.

    SAHI's merging goes over the boxes once, from the surest down, and leaves an object in several
    pieces where a piece is surer than the whole. So it is done again until nothing is merged.
    """
    from sahi.postprocess.combine import batched_greedy_nmm

    groups = [[number] for number in np.argsort(-scores, kind="stable")]
    while groups:
        table = [[*_around(boxes[g]), scores[g].max(), labels[g[0]]] for g in groups]
        merged = batched_greedy_nmm(np.array(table, dtype=np.float32), _MATCH, _OVERLAP_TO_MERGE)
        joined = [[*groups[kept], *(n for m in merged[kept] for n in groups[m])] for kept in merged]
        joined.sort(key=lambda group: -scores[group].max())
        if len(joined) == len(groups):
            break
        groups = joined
    return groups


def _around(boxes: np.ndarray) -> np.ndarray:
    """The smallest box (4,) around boxes (N, 4)."""
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def _joined_masks(
    found: Sequence[Detections],
    corners: Sequence[Sequence[int]],
    joined: Sequence[Sequence[int]],
    size: tuple[int, int],
) -> np.ndarray:
    """The masks of each group laid over each other, in the size of the whole."""
    needed = len(joined) * size[0] * size[1]
    if needed > _LARGEST_MASKS:
        raise Unreadable(
            f"{len(joined)} masks of {size[1]}x{size[0]} pixels take {needed / 2**30:.0f} GiB: ask "
            "for surer objects alone, or cut the picture"
        )
    parts = [
        (mask, corner)
        for one, corner in zip(found, corners, strict=True)
        for mask in (one.masks if one.masks is not None else ())
    ]
    masks = np.zeros((len(joined), *size), dtype=bool)
    for whole, group in zip(masks, joined, strict=True):
        for number in group:
            mask, (left, top) = parts[number]
            whole[top : top + mask.shape[0], left : left + mask.shape[1]] |= mask
    return masks
