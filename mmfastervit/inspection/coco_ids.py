"""Ids, names and links of a COCO file: each once, and leading somewhere."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from .coco_entries import on_entries
from .coco_objects import Objects, as_id
from .findings import Finding, brief


def check_ids(place: str, lists: dict[str, list[dict]], objects: Objects) -> Iterator[Finding]:
    """Find entries whose ids, names or sizes can't be right; lacking keys are told elsewhere."""
    for name in lists:
        yield from _check_ids(place, name, lists[name])
    yield from _check_names(place, lists)
    yield from _check_crowds(place, lists["annotations"])
    yield from _check_images(place, lists["images"], objects)
    yield from _check_link(place, lists, "image_id", objects.image, "images")
    yield from _check_link(place, lists, "category_id", objects.category, "categories")


def _check_ids(place: str, name: str, entries: list[dict]) -> Iterator[Finding]:
    """Ids of one list: numbers or strings, each once."""
    ids = [entry["id"] for entry in entries if "id" in entry]
    strange = any(as_id(value) is None for value in ids)
    if strange:
        wrong = [row for row, one in enumerate(entries) if "id" in one and as_id(one["id"]) is None]
        yield on_entries(
            place, name, entries, wrong, "`id` is no number", "give each one of its own"
        )
    elif len(set(ids)) < len(ids):
        count = Counter(ids)
        double = [row for row, one in enumerate(entries) if count.get(one.get("id"), 0) > 1]
        yield on_entries(
            place,
            name,
            entries,
            double,
            "`id` shared with another; only the last of them is kept",
            "number them anew; annotations and images keep belonging together by `image_id`",
        )


def _check_names(place: str, lists: dict[str, list[dict]]) -> Iterator[Finding]:
    """Names of files and classes are strings."""
    for name, key in (("images", "file_name"), ("categories", "name")):
        values = [entry.get(key, "") for entry in lists[name]]
        rows = [row for row, value in enumerate(values) if type(value) is not str]
        if rows:
            what, remedy = f"`{key}` is no string", f"write `{key}` in quotes"
            told = [brief(value) for value in values]
            yield on_entries(place, name, lists[name], rows, what, remedy, told.__getitem__)


def _check_crowds(place: str, annotations: list[dict]) -> Iterator[Finding]:
    """A string such as "0" would count as a crowd."""
    flags = [annotation.get("iscrowd", 0) for annotation in annotations]
    if not set(map(type, flags)) <= {int, bool}:
        rows = [row for row, flag in enumerate(flags) if type(flag) not in (int, bool)]
        yield on_entries(
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
    wrong = np.flatnonzero(np.isnan(objects.sizes[:, 0]) & sized).tolist()
    if wrong:
        yield on_entries(
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
        what = "a `file_name` that another image has too"
        yield on_entries(place, "images", images, rows, what, "", is_fault=False)


def _check_link(
    place: str, lists: dict[str, list[dict]], key: str, rows: np.ndarray, target: str
) -> Iterator[Finding]:
    """Find annotations whose ``key`` leads nowhere.

    Args:
        place: The file.
        lists: Its lists.
        key: ``"image_id"`` or ``"category_id"``.
        rows: The row of ``target`` that each annotation leads to, -1 for none.
        target: The list whose ids it names.
    """
    annotations = lists["annotations"]
    lost = [row for row in np.flatnonzero(rows < 0).tolist() if key in annotations[row]]
    if lost:
        ids = [brief(entry.get("id")) for entry in lists[target][:3]]
        there = ", ".join([*ids, *["..."] * (len(lists[target]) > 3)]) or "none"
        yield on_entries(
            place,
            "annotations",
            annotations,
            lost,
            f"`{key}` is no id of `{target}`, so that the object would be left out",
            f"correct `{key}`, or add what it means to `{target}`",
            lambda row: f"{key} {brief(annotations[row][key])}",
            accepted=f"an id of `{target}`, as there are: {there}",
        )
