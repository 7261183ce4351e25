"""What the command prints: every change, was and is, with its reason."""

from typing import Any

from mmfastervit.engine.config_tree import type_name

from .edits import ABSENT, Change, without_marker
from .planning import Swap

_LONG = 120


def summarise(swap: Swap) -> str:
    """Lines ``key: was -> is  (why)``, and the consequences after them."""
    lines = [line for change in swap.changes for line in _describe(change)]
    lines += [f"note: {note}" for note in swap.notes]
    return "\n".join(lines)


def _describe(change: Change) -> list[str]:
    was, now = (_short(value) for value in (change.was, without_marker(change.now)))
    return [f"{change.key}: {was} -> {now}", f"    {change.why}"]


def _short(value: Any) -> str:
    if value is ABSENT:
        return "not set"
    text = str(value)
    if isinstance(value, dict) and "type" in value and len(text) > _LONG:
        kept = ("arch", "depth", "out_indices", "init_cfg", "lr", "weight_decay")
        shown = [f"{key}={value[key]}" for key in kept if key in value]
        return f"{type_name(value['type'])}({', '.join(shown)})"
    return text if len(text) <= 2 * _LONG else f"{text[: 2 * _LONG]} ..."
