"""Values of a config as the Python source that a person would write."""

import keyword
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH = 100


@dataclass(frozen=True)
class Name:
    """A variable of the file, where a value would stand."""

    text: str


def subscript(path: Sequence[str | int]) -> str:
    """Write what follows a variable's name to reach the value at ``path`` inside it."""
    return "".join(f".{key}" if _is_name(key) else f"[{flat(key)}]" for key in path)


def _is_name(key: Any) -> bool:
    return isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key)


def render(value: Any, column: int, indent: int = 0) -> str:
    """Write a value as Python source: on one line where it fits, as ``dict(...)`` where it can be.

    Args:
        value: What to write.
        column: Where on its line it begins; a trailing comma is allowed for.
        indent: Indentation of its line.
    """
    line = flat(value)
    if column + len(line) < WIDTH or not isinstance(value, (dict, list, tuple)) or not value:
        return line
    opening, entries, closing = _parts(value)
    inner, pad = indent + 4, " " * (indent + 4)
    lines = [f"{pad}{head}{render(one, inner + len(head) + 1, inner)}," for head, one in entries]
    return "\n".join([opening, *lines, " " * indent + closing])


def flat(value: Any) -> str:
    """Write a value as Python source on one line."""
    if isinstance(value, Name):
        return value.text
    if isinstance(value, (dict, list, tuple)):
        opening, entries, closing = _parts(value)
        comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return opening + ", ".join(head + flat(one) for head, one in entries) + comma + closing
    if isinstance(value, str) and '"' not in value and value.isprintable():
        return '"' + value.replace("\\", "\\\\") + '"'
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'  # repr gives a name that Python does not know
    return repr(value)


def _parts(value: dict | list | tuple) -> tuple[str, list[tuple[str, Any]], str]:
    """What opens a holder, its values with what stands before each, and what closes it."""
    if not isinstance(value, dict):
        opening, closing = "[]" if isinstance(value, list) else "()"
        return opening, [("", one) for one in value], closing
    if all(map(_is_name, value)):
        return "dict(", [(f"{key}=", one) for key, one in value.items()], ")"
    return "{", [(f"{flat(key)}: ", one) for key, one in value.items()], "}"
