"""Values of a config as the Python source that a person would write."""

import keyword
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
    return "".join(
        f".{key}" if isinstance(key, str) and _is_name(key) else f"[{render(key, 0)}]"
        for key in path
    )


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
    inner, pad = indent + 4, " " * (indent + 4)
    if isinstance(value, dict):
        named = all(map(_is_name, value))
        heads = [f"{key}=" if named else f"{flat(key)}: " for key in value]
        bounds = ("dict(", ")") if named else ("{", "}")
        entries = list(zip(heads, value.values(), strict=True))
    else:
        bounds = ("[", "]") if isinstance(value, list) else ("(", ")")
        entries = [("", one) for one in value]
    lines = [f"{pad}{head}{render(one, inner + len(head) + 1, inner)}," for head, one in entries]
    return "\n".join([bounds[0], *lines, " " * indent + bounds[1]])


def flat(value: Any) -> str:
    """Write a value as Python source on one line."""
    if isinstance(value, Name):
        return value.text
    if isinstance(value, dict):
        if all(map(_is_name, value)):
            return f"dict({', '.join(f'{key}={flat(one)}' for key, one in value.items())})"
        return "{" + ", ".join(f"{flat(key)}: {flat(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(flat, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(flat, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, str) and '"' not in value and value.isprintable():
        return '"' + value.replace("\\", "\\\\") + '"'
    return repr(value)
