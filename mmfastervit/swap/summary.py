"""What the command prints: every change, was and is, with its reason."""

from typing import Any

from mmfastervit.config.changes import Change, without_marker
from mmfastervit.config.tree import ABSENT, dotted, plain, type_name, value_at

from .planning import Swap

_LONG = 120


def summarise(swap: Swap) -> str:
    """Lines ``key: was -> is  (why)``, and the consequences after them."""
    lines = [line for change in swap.changes for line in _describe(change)]
    lines += [f"note: {note}" for note in swap.notes]
    return "\n".join(lines)


def parts_of(swap: Swap) -> str:
    """What ``--list`` shows: the parts that depend on the backbone, and how they would change."""
    groups: dict[str, list[str]] = {}
    for change in swap.changes:
        groups.setdefault(_part(swap, change), []).extend(_describe(change))
    lines = []
    for part, inside in groups.items():
        lines += [part, *(f"  {line}" for line in inside)]
    untouched = [key for key in _parts(swap) if key not in groups]
    if untouched:
        lines.append(f"not affected: {', '.join(untouched)}")
    return "\n".join(lines + [f"note: {note}" for note in swap.notes])


def _part(swap: Swap, change: Change) -> str:
    """The part that a change belongs to: a child of the model, or a section of the config."""
    depth = len(swap.model_path) if change.path[: len(swap.model_path)] == swap.model_path else 0
    return dotted(change.path[: depth + 1])


def _parts(swap: Swap) -> list[str]:
    model = value_at(plain(swap.original.to_dict()), swap.model_path)
    inside = [key for key, value in model.items() if isinstance(value, (dict, list)) and value]
    return [dotted((*swap.model_path, key)) for key in inside if not key.endswith("_cfg")]


def _describe(change: Change) -> list[str]:
    was, now = (_short(value) for value in (change.was, without_marker(change.now)))
    return [f"{change.key}: {was} -> {now}", f"    {change.why}"]


def _short(value: Any) -> str:
    if value is ABSENT:
        return "not set"
    text = str(value)
    if isinstance(value, dict) and "type" in value and len(text) > _LONG:
        kept = ("arch", "depth", "out_indices", "init_cfg", "checkpoint", "lr", "weight_decay")
        shown = [f"{key}={value[key]}" for key in kept if key in value]
        return f"{type_name(value['type'])}({', '.join(shown)})"
    return text if len(text) <= 2 * _LONG else f"{text[: 2 * _LONG]} ..."
