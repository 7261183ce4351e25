"""The annotations of a COCO file as columns: rows of images and categories, boxes, areas."""

from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

_NUMBERS = {int, float}
_IDS = {int, str, float}


@dataclass(frozen=True)
class Objects:
    """The annotations of a file as columns; row i is the i-th annotation.

    Attributes:
        image: Row of its image, -1 where there is none of its ``image_id``.
        category: Row of its category, -1 likewise.
        boxes: ``[x, y, width, height]`` in pixels, NaN where the box is not four finite numbers.
        area: In square pixels, NaN where it is no number.
        taken: Whether the library reads it: it is not marked as one to ignore.
        crowd: Whether it is a group of objects, of which nothing is learned.
        sizes: Width and height of each image in pixels, NaN where they are no sizes (I, 2).
    """

    image: np.ndarray
    category: np.ndarray
    boxes: np.ndarray
    area: np.ndarray
    taken: np.ndarray
    crowd: np.ndarray
    sizes: np.ndarray

    @property
    def image_sizes(self) -> np.ndarray:
        """Width and height of the image of each annotation, NaN where it has none (N, 2)."""
        padded = np.vstack([self.sizes, np.full((1, 2), np.nan)])  # row -1
        return padded[self.image]

    def image_sizes_of(self, row: int) -> tuple[float, float]:
        """Width and height of the image of one annotation, NaN where it has none."""
        image = self.image[row]
        width, height = self.sizes[image] if image >= 0 else (np.nan, np.nan)
        return float(width), float(height)

    @property
    def kept(self) -> np.ndarray:
        """Whether the library keeps each: it leaves out boxes without size or overlap."""
        left, top, width, height = self.boxes.T
        columns, rows = self.image_sizes.T
        inside = (left < columns) & (top < rows) & (left + width > 0) & (top + height > 0)
        kept = self.taken & inside & (width >= 1) & (height >= 1) & (self.area > 0)
        return kept & (self.category >= 0)

    @property
    def learned(self) -> np.ndarray:
        """Whether something is learned of each: the library keeps it, and it is no crowd."""
        return self.kept & ~self.crowd


def objects_of(lists: dict[str, list[dict]]) -> Objects:
    """Read the columns of a file's lists."""
    annotations, images = lists["annotations"], lists["images"]
    rows = {as_id(image.get("id")): row for row, image in enumerate(images)}
    classes = {as_id(entry.get("id")): row for row, entry in enumerate(lists["categories"])}
    rows.pop(None, None)
    classes.pop(None, None)
    sizes = [[image.get("width"), image.get("height")] for image in images]
    return Objects(
        image=_rows_of([a.get("image_id") for a in annotations], rows),
        category=_rows_of([a.get("category_id") for a in annotations], classes),
        boxes=_numbers([a.get("bbox") for a in annotations], 4),
        area=_numbers([[a.get("area")] for a in annotations], 1)[:, 0],
        taken=np.array([not a.get("ignore") for a in annotations], dtype=bool),
        crowd=np.array([bool(a.get("iscrowd")) for a in annotations], dtype=bool),
        sizes=_positive(_numbers(sizes, 2)),
    )


def as_id(value: Any) -> Any:
    """A value as an id; None where it is not one."""
    return value if type(value) in _IDS else None


def _rows_of(ids: list, rows: dict) -> np.ndarray:
    if not set(map(type, ids)) <= _IDS:
        ids = [as_id(value) for value in ids]
    return np.fromiter((rows.get(value, -1) for value in ids), dtype=np.int64, count=len(ids))


def _numbers(values: list, length: int) -> np.ndarray:
    """Rows of ``length`` finite numbers each (N, length); NaN where a value is not that."""
    table = None
    if all(type(value) is list and len(value) == length for value in values) and (
        set(map(type, chain.from_iterable(values))) <= _NUMBERS
    ):
        with suppress(OverflowError):  # an integer that no float can hold
            table = np.array(values, dtype=float).reshape(-1, length)
    if table is None:
        table = np.array([_checked(value, length) for value in values]).reshape(-1, length)
    table[~np.isfinite(table).all(axis=1)] = np.nan
    return table


def _checked(value: Any, length: int) -> list[float]:
    good = isinstance(value, (list, tuple)) and len(value) == length
    if good and all(type(one) in _NUMBERS and abs(one) < 1e300 for one in value):
        return [float(one) for one in value]
    return [np.nan] * length


def _positive(sizes: np.ndarray) -> np.ndarray:
    sizes[~(sizes >= 1).all(axis=1)] = np.nan
    return sizes
