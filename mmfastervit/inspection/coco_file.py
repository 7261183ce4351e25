"""Reading a COCO file: is it JSON, and has it COCO's lists?"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .findings import Finding, brief, some

_LISTS = ("images", "annotations", "categories")
_ACCEPTED = "an object with the lists `images`, `annotations` and `categories`, as COCO has them"
_NOT_COCO = "a COCO file of instances; convert what you have, or name the file that is one"
_AGAIN = "write or copy the file again; its size should be what it was where it came from"


@dataclass(frozen=True)
class Needs:
    """What of a COCO file a run reads.

    Attributes:
        labels: Whether it reads annotations at all.
        training: Whether it learns from them.
        masks: Whether it reads segmentations.
        polygons_only: Whether its masks are polygons, so that run-length codes are left out.
        crowd: Whether a metric asks each annotation whether it is a crowd.
    """

    labels: bool = True
    training: bool = True
    masks: bool = False
    polygons_only: bool = False
    crowd: bool = False


def read_coco(path: Path, needs: Needs) -> tuple[dict[str, list[dict]] | None, list[Finding]]:
    """Read a file.

    Returns:
        Its three lists, ``annotations`` empty where the run reads none; None where the file has a
        fault that leaves nothing to look at; and the faults.
    """
    content, fault = _read_json(path)
    if fault:
        return None, [fault]
    faults = list(_check_lists(path, content, needs))
    if faults:
        return None, faults
    lists = {name: content.get(name, []) if isinstance(content, dict) else [] for name in _LISTS}
    if not needs.labels:
        lists["annotations"] = []
    return lists, []


def _read_json(path: Path) -> tuple[Any, Finding | None]:
    """Parse a file; the other value says why it can't be."""
    place = str(path)
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text), None
    except UnicodeDecodeError as error:
        return None, _undecodable(path, error)
    except OSError as error:
        what = f"the file can't be read ({error.strerror})"
        return None, Finding(place, what, remedy="make it readable, or name another file")
    except RecursionError:
        return None, Finding(place, "lists nested too deep to be COCO's", remedy=_NOT_COCO)
    except json.JSONDecodeError as error:
        return None, _broken(place, text, error)


def _undecodable(path: Path, error: UnicodeDecodeError) -> Finding:
    start = path.open("rb").read(2)
    kinds = {b"\x1f\x8b": "compressed by gzip", b"PK": "a zip archive"}
    kinds |= {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
    known = f": it is {kinds[start]}" if start in kinds else f", at byte {error.start}"
    remedy = "unpack it" if known.endswith(("gzip", "archive")) else "save it as UTF-8"
    return Finding(
        str(path), f"the file is not text in UTF-8{known}", accepted="JSON in UTF-8", remedy=remedy
    )


def _broken(place: str, text: str, error: json.JSONDecodeError) -> Finding:
    """Say how a text fails to be JSON."""
    where = f"line {error.lineno}, column {error.colno}"
    if not text.strip():
        what, remedy = "the file is empty", _AGAIN
    elif text.startswith("\ufeff"):
        what = "the file begins with a byte order mark (BOM), which JSON does not allow"
        remedy = "save it as UTF-8 without BOM"
    elif error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        what, remedy = f"the JSON is cut: it ends in the middle, at {where}", _AGAIN
    elif error.msg == "Extra data":
        what = f"more than one JSON value: a second begins at {where}"
        remedy = "put all entries into the lists of one object (JSON lines are not COCO)"
    else:
        what, remedy = f"the file is not JSON: {error.msg}, at {where}", "mend it there"
    return Finding(place, what, accepted="JSON in UTF-8", remedy=remedy)


def _check_lists(path: Path, content: Any, needs: Needs) -> Iterator[Finding]:
    place = str(path)
    if not isinstance(content, dict):
        hint = ""
        if isinstance(content, list) and content and isinstance(content[0], dict):
            hint = f" of objects with {', '.join(map(repr, list(content[0])[:5]))}"
            hint += " (they look like predictions)" if "score" in content[0] else ""
        kind = {list: "a list"}.get(type(content), f"the value {brief(content)}")
        what = f"the JSON is {kind}{hint}, not an object"
        yield Finding(place, what, accepted=_ACCEPTED, remedy=_NOT_COCO)
        return
    for name in _LISTS:
        if name not in content and (name != "annotations" or needs.labels):
            has = f"it has {', '.join(map(repr, list(content)[:6])) or 'nothing'}"
            what = f"there is no `{name}`; {has}"
            yield Finding(place, what, accepted=_ACCEPTED, remedy=_NOT_COCO)
        elif not isinstance(content.get(name, []), list):
            what = f"`{name}` is no list but {brief(content[name])}"
            yield Finding(place, what, accepted=_ACCEPTED, remedy=_NOT_COCO)
        else:
            yield from _check_entries(place, name, content.get(name, []))
    if not content.get("images") and isinstance(content.get("images"), list):
        yield Finding(place, "`images` is empty", remedy="name the file that lists the images")


def _check_entries(place: str, name: str, entries: list) -> Iterator[Finding]:
    wrong = [index for index, entry in enumerate(entries) if not isinstance(entry, dict)]
    if wrong:
        yield Finding(
            place,
            f"no object, in `{name}`",
            subject="entry",
            count=len(wrong),
            examples=some(f"number {index}: {brief(entries[index])}" for index in wrong),
            accepted='an object, {"id": 1, ...}, for each entry',
            remedy="mend or remove them",
        )
