"""The segmentations of a COCO file: polygons of three points, run-length codes that fit."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
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

# What can be wrong, what is right, what to do, and whether the object is only left out.
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
        False,
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
        if all(isinstance(part, list) for part in segmentation):
            return "polygons"
        return _FLAT if all(type(part) in _NUMBERS for part in segmentation) else _OTHER
    if isinstance(segmentation, dict) and {"size", "counts"} <= segmentation.keys():
        return "code"
    return _MISSING if segmentation in (None, []) else _OTHER


def _faults_of_polygons(
    annotations: list[dict], rows: list[int], objects: Objects
) -> Iterator[tuple[str, list[int]]]:
    """Look at all polygons at once."""
    parts = [annotations[row]["segmentation"] for row in rows]
    lengths = [[len(polygon) for polygon in polygons] for polygons in parts]
    usable = [[n >= _LEAST and n % 2 == 0 for n in sizes] for sizes in lengths]
    yield _NO_POLYGON, [row for row, good in zip(rows, usable, strict=True) if not any(good)]
    short = (any(good) and not all(good) for good in usable)
    yield _SHORT, [row for row, is_short in zip(rows, short, strict=True) if is_short]
    whole = [i for i, good in enumerate(usable) if all(good)]
    points, owners = _points(parts, whole)
    if points is None:
        strange = [i for i in whole if not _is_numeric(parts[i])]
        yield _NO_NUMBERS, [rows[i] for i in strange]
        whole = sorted(set(whole) - set(strange))
        points, owners = _points(parts, whole)
    if points is not None and len(points):
        chosen = np.array([rows[i] for i in whole])
        yield _ELSEWHERE, _outside_of_boxes(points, owners, chosen, objects)


def _points(parts: list, whole: list[int]) -> tuple[np.ndarray | None, np.ndarray]:
    """All points of some objects (P, 2), and where those of each object begin; None as points
    where one is no finite number."""
    polygons = [parts[i] for i in whole]
    counts = [sum(map(len, one)) // 2 for one in polygons]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(int)
    flat = chain.from_iterable
    if not set(map(type, flat(flat(polygons)))) <= _NUMBERS:
        return None, starts
    points = None
    with suppress(OverflowError):  # an integer that no float can hold
        values = np.fromiter(flat(flat(polygons)), dtype=float, count=2 * sum(counts))
        points = values.reshape(-1, 2) if np.isfinite(values).all() else None
    return points, starts


def _is_numeric(polygons: list[list]) -> bool:
    values = list(chain.from_iterable(polygons))
    return all(type(value) in _NUMBERS and abs(value) < 1e300 for value in values)


def _outside_of_boxes(
    points: np.ndarray, starts: np.ndarray, rows: np.ndarray, objects: Objects
) -> list[int]:
    """The rows of objects whose points lie beside their boxes, by more than a pixel."""
    low = np.minimum.reduceat(points, starts)
    high = np.maximum.reduceat(points, starts)
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
