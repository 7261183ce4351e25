"""The segmentations of a COCO file: polygons of three points, run-length codes that fit."""

from array import array
from collections.abc import Iterator
from itertools import chain, compress
from typing import Any

import numpy as np

from .coco_entries import named
from .coco_file import Needs
from .coco_objects import Objects
from .findings import FEW, Finding, brief, some

_POLYGON = "polygons [[x1, y1, x2, y2, x3, y3, ...], ...] of three points and more, in pixels"
_CODE = "{'size': [height, width], 'counts': ...} of the image's size"
_NUMBERS = {int, float}
_LEAST = 6  # numbers of a polygon

# What can be wrong, what is right, what to do, and whether it only costs the object.
_KINDS: dict[str, tuple[str, str, bool]] = {
    "no `segmentation`, and masks are trained or compared": (
        _POLYGON,
        "add it, or train without masks (no mask_head, with_mask=False)",
        False,
    ),
    "`segmentation` is neither polygons nor a run-length code": (
        f"{_POLYGON}, or {_CODE}",
        "write it anew",
        False,
    ),
    "`segmentation` is one flat list of numbers": (_POLYGON, "put it into one more list", False),
    "`segmentation` has something else in it than finite numbers": (
        _POLYGON,
        "write it anew",
        False,
    ),
    "`segmentation` has no polygon of three points, so that the mask would be left out": (
        _POLYGON,
        "draw it anew, or remove the object",
        True,
    ),
    "`segmentation` has a polygon of fewer than three points": (
        _POLYGON,
        "remove that part",
        True,
    ),
    "`segmentation` lies outside of its `bbox`": (
        "points in pixels of the image, inside the box",
        "look whether both are of this image, and in pixels",
        True,
    ),
    "the run-length code is of another size than the image": (_CODE, "write it anew", False),
    "the run-length code has height and width swapped": (
        _CODE,
        "write [height, width] into size; mend `width` and `height` of the image if they are wrong",
        False,
    ),
    "the run-length code can't be read": (_CODE, "write it anew, by pycocotools.mask", False),
    "the mask is a run-length code, and poly2mask=False takes polygons only": (
        _POLYGON,
        "remove poly2mask=False from LoadAnnotations, or write polygons",
        True,
    ),
}
(_MISSING, _OTHER, _FLAT, _NO_NUMBERS, _NO_POLYGON, _SHORT, _ELSEWHERE, _SIZE, _SWAPPED, _BROKEN,
 _POLYGONS_ONLY) = _KINDS  # fmt: skip


def check_masks(
    place: str, annotations: list[dict], objects: Objects, needs: Needs
) -> Iterator[Finding]:
    """Find the segmentations that the run would stumble over, or silently leave out."""
    rows: dict[str, list[int]] = {kind: [] for kind in _KINDS}
    polygons: list[int] = []
    for row, annotation in enumerate(annotations):
        kind = _kind_of(annotation.get("segmentation"))
        if kind == "polygons":
            polygons.append(row)
        elif kind == "code":
            size = objects.image_sizes_of(row)
            fault = _fault_of_code(annotation["segmentation"], size)
            if not fault and needs.polygons_only and not annotation.get("iscrowd"):
                fault = _POLYGONS_ONLY
            if fault:
                rows[fault].append(row)
        elif objects.taken[row]:
            rows[kind].append(row)
    for kind, found in _faults_of_polygons(annotations, polygons, objects):
        rows[kind] += found
    for kind, found in rows.items():
        if found:
            yield _finding(place, kind, annotations, sorted(found))


def _finding(place: str, kind: str, annotations: list[dict], rows: list[int]) -> Finding:
    accepted, remedy, only_left_out = _KINDS[kind]
    examples = (
        f"{named('annotations', annotations[row], row)}: "
        f"segmentation {brief(annotations[row].get('segmentation'))}"
        for row in rows
    )
    return Finding(
        place,
        kind,
        "annotation",
        len(rows),
        some(examples),
        accepted,
        remedy,
        not only_left_out or len(rows) > FEW * len(annotations),
    )


def _kind_of(segmentation: Any) -> str:
    """``polygons`` or ``code``, or else what is wrong."""
    if isinstance(segmentation, list) and segmentation:
        kinds = set(map(type, segmentation))
        if kinds == {list}:
            return "polygons"
        return _FLAT if kinds <= _NUMBERS else _OTHER
    if isinstance(segmentation, dict) and {"size", "counts"} <= segmentation.keys():
        return "code"
    return _MISSING if segmentation in (None, []) else _OTHER


def _faults_of_polygons(
    annotations: list[dict], rows: list[int], objects: Objects
) -> Iterator[tuple[str, list[int]]]:
    """Look at all polygons at once."""
    of_objects = [annotations[row]["segmentation"] for row in rows]
    numbers = np.array(rows, dtype=np.int64)
    polygons = list(chain.from_iterable(of_objects))
    owners = np.repeat(numbers, list(map(len, of_objects)))
    lengths = np.fromiter(map(len, polygons), dtype=np.int64, count=len(polygons))
    usable = (lengths >= _LEAST) & (lengths % 2 == 0)
    with_usable, with_short = np.unique(owners[usable]), np.unique(owners[~usable])
    yield _NO_POLYGON, np.setdiff1d(numbers, with_usable).tolist()
    yield _SHORT, np.intersect1d(with_usable, with_short).tolist()
    polygons, owners = list(compress(polygons, usable.tolist())), owners[usable]
    values = _values(polygons)
    if values is None:
        numeric = np.array([_is_numeric(polygon) for polygon in polygons], dtype=bool)
        yield _NO_NUMBERS, np.unique(owners[~numeric]).tolist()
        polygons, owners = list(compress(polygons, numeric.tolist())), owners[numeric]
        values = _values(polygons)
    if values is not None and len(values):
        yield _ELSEWHERE, _outside_of_boxes(values, polygons, owners, objects)


def _values(polygons: list[list]) -> np.ndarray | None:
    """All numbers of some polygons in a row; None where one is not finite or no number."""
    try:  # an array refuses what is no number, which spares a second walk over millions of them
        values = np.frombuffer(array("d", chain.from_iterable(polygons)))
    except (TypeError, OverflowError):
        return None
    return values if np.isfinite(values).all() else None


def _is_numeric(polygon: list) -> bool:
    return all(type(value) in _NUMBERS and abs(value) < 1e300 for value in polygon)


def _outside_of_boxes(
    values: np.ndarray, polygons: list[list], owners: np.ndarray, objects: Objects
) -> list[int]:
    """The rows of objects whose points lie beside their boxes, by more than a pixel."""
    ends = np.cumsum([len(polygon) // 2 for polygon in polygons])
    rows, first_polygons = np.unique(owners, return_index=True)
    starts = np.concatenate([[0], ends])[first_polygons]  # of the points of each object
    points = values.reshape(-1, 2)
    low, high = (side.reduceat(points, starts) for side in (np.minimum, np.maximum))
    boxes = objects.boxes[rows]
    first, last = boxes[:, :2] - 1, boxes[:, :2] + boxes[:, 2:] + 1
    beside = ((high < first) | (low > last)).any(axis=1)
    fractions = (high <= 1).all(axis=1) & (boxes[:, 2:] > 2).all(axis=1)
    return rows[(beside | fractions) & objects.kept[rows]].tolist()


def _fault_of_code(code: dict, size: tuple[float, float]) -> str:
    """What is wrong with a run-length code; '' if nothing is.

    Args:
        code: With ``size`` [height, width] and ``counts``: a list of lengths, or their string.
        size: Width and height of the image, NaN where it has none.
    """
    stated = code["size"]
    if not (isinstance(stated, list) and len(stated) == 2 and all(type(n) is int for n in stated)):
        return _BROKEN
    counts = code["counts"]
    if isinstance(counts, str):
        counts = counts_of(counts)
    if not isinstance(counts, list) or not all(type(n) is int and n >= 0 for n in counts):
        return _BROKEN
    if sum(counts) != stated[0] * stated[1]:
        return _BROKEN
    wanted = [size[1], size[0]]
    if np.isnan(size[0]) or stated == wanted:
        return ""
    return _SWAPPED if stated == wanted[::-1] else _SIZE


def counts_of(text: str) -> list[int] | None:
    """The lengths of the runs that a string of pycocotools holds; None if it is none.

    Each letter, less 48, has five bits of a number, the lowest first, and a sixth that says whether
    the number goes on; the highest bit of the last five is its sign. From the fourth number on, it
    is the difference to the one two before.
    """
    codes = [ord(letter) - 48 for letter in text]
    if not codes or min(codes) < 0 or max(codes) > 63 or codes[-1] & 32:
        return None
    counts: list[int] = []
    value = shift = 0
    for code in codes:
        value |= (code & 31) << shift
        shift += 5
        if not code & 32:
            if code & 16:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    return counts
