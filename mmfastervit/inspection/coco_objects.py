"""The images and boxes of a COCO file: ids that meet, sizes that are sizes, boxes inside images."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from .coco_file import named
from .findings import FEW, Finding, brief, some

_NUMBERS = {int, float}
_IDS = {int, str, float}
_CORNERS = 0.1  # share of boxes over the edge from which they may be corners
_BOX = "[x, y, width, height] in pixels, x and y of the upper left corner"


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
    rows = {_id(image.get("id")): row for row, image in enumerate(images)}
    classes = {_id(entry.get("id")): row for row, entry in enumerate(lists["categories"])}
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


def _id(value: Any) -> Any:
    """A value as an id; None where it is not one."""
    return value if type(value) in _IDS else None


def _rows_of(ids: list, rows: dict) -> np.ndarray:
    if not set(map(type, ids)) <= _IDS:
        ids = [_id(value) for value in ids]
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


def check_objects(place: str, lists: dict[str, list[dict]], objects: Objects) -> Iterator[Finding]:
    """Find entries whose ids, sizes or boxes can't be right; lacking keys are told elsewhere."""
    for name in lists:
        yield from _check_ids(place, name, lists[name])
    yield from _check_names(place, lists)
    yield from _check_crowds(place, lists["annotations"])
    yield from _check_images(place, lists["images"], objects)
    yield from _check_links(place, lists, objects)
    yield from _check_boxes(place, lists["annotations"], objects)


def _check_ids(place: str, name: str, entries: list[dict]) -> Iterator[Finding]:
    """Ids of one list: numbers or strings, each once."""
    ids = [entry["id"] for entry in entries if "id" in entry]
    kinds = set(map(type, ids))
    if not kinds <= _IDS:
        wrong = [row for row, one in enumerate(entries) if "id" in one and _id(one["id"]) is None]
        yield _entries(place, name, entries, wrong, "`id` is no number", "give each one of its own")
    seen = {value for value in ids if type(value) in _IDS}
    if kinds <= _IDS and len(seen) < len(ids):
        count = Counter(ids)
        double = [row for row, one in enumerate(entries) if count.get(one.get("id"), 0) > 1]
        yield _entries(
            place,
            name,
            entries,
            double,
            "shares its `id` with another, and only the last of them is kept",
            "number them anew; annotations and images keep belonging together by `image_id`",
        )


def _entries(
    place: str,
    name: str,
    entries: list[dict],
    rows: Sequence[int],
    what: str,
    remedy: str,
    value: Callable[[int], str] | None = None,
    **more: Any,
) -> Finding:
    """A finding on some entries of a list."""
    subject = dict(images="image", annotations="annotation", categories="category")[name]
    examples = (
        named(name, entries[row], row) + (f": {value(row)}" if value else "") for row in rows
    )
    return Finding(place, what, subject, len(rows), some(examples), remedy=remedy, **more)


def _check_names(place: str, lists: dict[str, list[dict]]) -> Iterator[Finding]:
    """Names of files and classes are strings."""
    for name, key in (("images", "file_name"), ("categories", "name")):
        values = [entry.get(key, "") for entry in lists[name]]
        rows = [row for row, value in enumerate(values) if type(value) is not str]
        if rows:
            what, remedy = f"`{key}` is no string", f"write `{key}` in quotes"
            told = [brief(value) for value in values]
            yield _entries(place, name, lists[name], rows, what, remedy, told.__getitem__)


def _check_crowds(place: str, annotations: list[dict]) -> Iterator[Finding]:
    """A string such as "0" would count as a crowd."""
    flags = [annotation.get("iscrowd", 0) for annotation in annotations]
    if not set(map(type, flags)) <= {int, bool}:
        rows = [row for row, flag in enumerate(flags) if type(flag) not in (int, bool)]
        yield _entries(
            place,
            "annotations",
            annotations,
            rows,
            "`iscrowd` is neither 0 nor 1, and counts as a crowd, of which nothing is learned",
            "write 0, or 1 for a group of objects",
            lambda row: f"iscrowd {brief(flags[row])}",
        )


def _check_images(place: str, images: list[dict], objects: Objects) -> Iterator[Finding]:
    sized = np.array(["width" in image and "height" in image for image in images], dtype=bool)
    wrong = np.flatnonzero(np.isnan(objects.sizes[:, 0]) & sized)
    if len(wrong):
        yield _entries(
            place,
            "images",
            images,
            wrong,
            "`width` or `height` is no number of pixels",
            "write what the file has",
            lambda row: f"{brief(images[row]['width'])} x {brief(images[row]['height'])}",
            accepted="whole numbers from 1 on",
        )
    names = [image["file_name"] for image in images if "file_name" in image]
    if set(map(type, names)) <= {str} and len(set(names)) < len(names):
        count = Counter(names)
        rows = [row for row, one in enumerate(images) if count[one.get("file_name", "")] > 1]
        what = "names a file that another image names too"
        yield _entries(place, "images", images, rows, what, "", is_fault=False)


def _check_links(place: str, lists: dict[str, list[dict]], objects: Objects) -> Iterator[Finding]:
    """Ids by which annotations belong to images and to categories."""
    annotations = lists["annotations"]
    links = (("image_id", objects.image, "images"), ("category_id", objects.category, "categories"))
    for key, rows, target in links:
        lost = [row for row in np.flatnonzero(rows < 0) if key in annotations[row]]
        if lost:
            ids = [entry.get("id") for entry in lists[target][:4]]
            text = ", ".join(map(brief, ids[:3])) + (", ..." if len(ids) > 3 else "")
            yield _entries(
                place,
                "annotations",
                annotations,
                lost,
                f"`{key}` is no id of `{target}`, so that the object would be left out",
                f"correct `{key}`, or add what it means to `{target}`",
                lambda row, key=key: f"{key} {brief(annotations[row][key])}",
                accepted=f"an id of `{target}`, as there are: {text or 'none'}",
            )


def _check_boxes(place: str, annotations: list[dict], objects: Objects) -> Iterator[Finding]:
    """Boxes and areas: numbers, of some size, inside the image."""

    def about(rows: np.ndarray, key: str, what: str, remedy: str, **more: Any) -> Finding:
        chosen = np.flatnonzero(rows)
        more.setdefault("is_fault", len(chosen) > FEW * len(annotations))
        return _entries(
            place,
            "annotations",
            annotations,
            chosen,
            what,
            remedy,
            lambda row: f"{key} {brief(annotations[row].get(key))}{_size_text(objects, row)}",
            **more,
        )

    checks = (*_unreadable(annotations, objects), *_sizeless(objects), *_outside(objects))
    for rows, key, what, remedy, more in checks:
        if rows.any():
            yield about(rows, key, what, remedy, **more)


_Check = tuple[np.ndarray, str, str, str, dict[str, Any]]  # rows, key, what, remedy, more


def _size_text(objects: Objects, row: int) -> str:
    width, height = objects.image_sizes_of(row)
    return "" if np.isnan(width) else f", image {width:g}x{height:g}"


def _unreadable(annotations: list[dict], objects: Objects) -> Iterator[_Check]:
    for key, numbers in (("bbox", objects.boxes[:, 0]), ("area", objects.area)):
        there = np.array([key in annotation for annotation in annotations], dtype=bool)
        what, accepted = "is not four finite numbers", _BOX
        if key == "area":
            what, accepted = "is no finite number", "the object's area in square pixels"
        more = dict(accepted=accepted, is_fault=True)
        yield there & np.isnan(numbers), key, f"`{key}` {what}", f"write `{key}` anew", more


def _sizeless(objects: Objects) -> Iterator[_Check]:
    """Boxes that the library leaves out for their size."""
    width, height = objects.boxes[:, 2:].T
    more = dict(accepted="width and height from 1 pixel on")
    what = "`bbox` has no size, so that the object would be left out"
    yield objects.taken & ((width <= 0) | (height <= 0)), "bbox", what, _MEND, more
    sized = objects.taken & (width > 0) & (height > 0)
    what = "`area` is not above 0, so that the object would be left out"
    remedy = "write the area of the mask, or width * height of the box"
    yield sized & (objects.area <= 0), "area", what, remedy, dict(accepted="square pixels above 0")
    small = sized & ((width < 1) | (height < 1))
    fractions = sized & (objects.boxes <= 1).all(axis=1)
    if fractions.sum() > 0.5 * len(small):
        what = "`bbox` is in fractions of the image, so that the object would be left out"
        remedy = "multiply x and width by the image's width, y and height by its height"
        yield fractions, "bbox", what, remedy, dict(accepted=_BOX)
    else:
        what = "`bbox` is less than 1 pixel wide or high, so that the object is left out"
        yield small, "bbox", what, "", dict(is_fault=False)


_MEND = "correct or remove them"


def _outside(objects: Objects) -> Iterator[_Check]:
    """Boxes that lie outside their images, and boxes that are corners instead."""
    left, top, width, height = objects.boxes.T
    columns, rows = objects.image_sizes.T
    sized = objects.taken & (width > 0) & (height > 0)
    over = np.maximum.reduce([-left, -top, left + width - columns, top + height - rows])
    overlap = np.clip(np.minimum(left + width, columns) - np.maximum(left, 0), 0, None)
    overlap = overlap * np.clip(np.minimum(top + height, rows) - np.maximum(top, 0), 0, None)
    beyond = sized & (over > 1)
    corners = (width > left) & (height > top) & (width <= columns + 1) & (height <= rows + 1)
    more = dict(accepted=_BOX)
    if beyond.sum() > _CORNERS * len(beyond) and (corners[beyond].mean() > 0.9):
        what = "`bbox` reaches out of the image; the boxes look like corners [x1, y1, x2, y2]"
        remedy = "write [x1, y1, x2 - x1, y2 - y1]"
        yield beyond, "bbox", what, remedy, more | dict(is_fault=True)
        return
    mostly = sized & (overlap < 0.5 * width * height)
    what = "`bbox` lies outside of the image, by half or more"
    yield mostly, "bbox", what, _MEND, more
    what = "`bbox` reaches out of the image by more than a pixel"
    yield beyond & ~mostly, "bbox", what, "", dict(is_fault=False)
