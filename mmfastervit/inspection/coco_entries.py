"""The entries of a COCO file's lists: how messages call them, and have they what a run reads?"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .coco_file import Needs
from .findings import Finding, brief, some

_CONTENTS = {
    "id": "a number of its own",
    "image_id": "the `id` of an entry of `images`",
    "category_id": "the `id` of an entry of `categories`",
    "file_name": "the file's name, from data_prefix.img on",
    "width": "the file's width in pixels",
    "height": "the file's height in pixels",
    "bbox": "[x, y, width, height] in pixels",
    "area": "the object's area in square pixels; width * height of the box will do",
    "iscrowd": "1 for a group of objects, otherwise 0",
    "name": "the class's name",
}
_SUBJECTS = dict(images="image", annotations="annotation", categories="category")


def check_keys(place: str, lists: dict[str, list[dict]], needs: Needs) -> Iterator[Finding]:
    """Find the entries that lack a key which the run reads."""
    required = dict(
        images=["id", "file_name", "width", "height"],
        annotations=["id", "image_id", "category_id", "bbox", "area"],
        categories=["id", "name"],
    )
    required["annotations"] += ["iscrowd"] * needs.crowd
    for name, keys in required.items():
        for key in keys:
            lacking = [index for index, entry in enumerate(lists[name]) if key not in entry]
            if lacking:
                what, remedy = f"no `{key}`", f"add `{key}` to each"
                accepted = f"`{key}` is {_CONTENTS[key]}"
                yield on_entries(place, name, lists[name], lacking, what, remedy, accepted=accepted)


def named(name: str, entry: dict, row: int) -> str:
    """How a message calls an entry: by its ids, or by its place where it has none."""
    subject = _SUBJECTS[name]
    if "id" not in entry:
        return f"{subject} number {row} of the list"
    text = f"{subject} id {brief(entry['id'])}"
    if name == "annotations":
        return f"{text} (image id {brief(entry.get('image_id'))})"
    if name == "images":
        return f"{text} ({brief(entry.get('file_name'))})"
    return text


def on_entries(
    place: str,
    name: str,
    entries: list[dict],
    rows: Sequence[int],
    what: str,
    remedy: str,
    value: Callable[[int], str] | None = None,
    **more: Any,
) -> Finding:
    """A finding on some entries of a list.

    Args:
        place: The file.
        name: The list: ``"images"``, ``"annotations"`` or ``"categories"``.
        entries: All its entries.
        rows: Those that it is about.
        what: What is wrong with them.
        remedy: What to do.
        value: Gives the value that is wrong, of a row.
        more: Other attributes of the finding.
    """
    examples = (
        named(name, entries[row], row) + (f": {value(row)}" if value else "") for row in rows
    )
    return Finding(place, what, _SUBJECTS[name], len(rows), some(examples), remedy=remedy, **more)
