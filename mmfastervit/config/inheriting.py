"""The text of a config that inherits from another: its base, and what changes."""

import copy
from collections.abc import Collection, Sequence
from typing import Any

from .changes import Change
from .source import WIDTH, Name, flat, render, subscript
from .tree import Path, dotted

Lists = dict[Path, tuple[str, list[Change]]]  # by the place of each: its variable, its changes


def text_of(title: str, base: str, changes: Sequence[Change], taken: Collection[str]) -> str:
    """Write a config as a person would.

    Args:
        title: A comment for the first line.
        base: How the file names the config that it inherits from.
        changes: What is set.
        taken: Keys of the base, which no variable of the file may shadow.
    """
    lists, tree = split(changes, taken)
    line = f"_base_ = {flat(base)}"
    lines = [f"# {title}", line if len(line) <= WIDTH else f"_base_ = (\n    {flat(base)}\n)"]
    for place, (name, inside) in lists.items():
        lines += ["", f"{name} = _base_.{dotted(place)}"]
        for change in inside:
            left = name + subscript(change.path[len(place) :])
            lines.append(f"{left} = {render(change.now, len(left) + 3)}")
    for key, value in tree.items():
        if value is not None or not lines[-1].endswith("= None"):  # those stand together
            lines.append("")
        lines.append(f"{key} = {render(value, len(key) + 3)}")
    return "\n".join(lines) + "\n"


def split(changes: Sequence[Change], taken: Collection[str]) -> tuple[Lists, dict[str, Any]]:
    """Part the changes that reach into lists from the others, which nest as dicts.

    mmengine merges dicts but not lists, so a list is taken from the base, changed, and put back.
    """
    lists: Lists = {}
    tree: dict[str, Any] = {}
    for change in changes:
        cut = next((i for i, key in enumerate(change.path) if isinstance(key, int)), None)
        if cut is None:
            _put(tree, change.path, change.now)
            continue
        place = change.path[:cut]
        if place not in lists:
            name = _variable(place, taken, {name for name, _ in lists.values()})
            lists[place] = (name, [])
            _put(tree, place, Name(name))
        lists[place][1].append(change)
    # A top-level list is changed under its own name: it needs no putting back.
    return lists, {key: value for key, value in tree.items() if value != Name(key)}


def _put(tree: dict, path: Path, value: Any) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = copy.deepcopy(value)  # later changes may reach into it


def _variable(place: Path, taken: Collection[str], used: set[str]) -> str:
    name, unusable = str(place[-1]), used.union(taken)
    if len(place) == 1:
        return name
    if name == "pipeline":  # may replace the base's variable of that name, as a person would
        name, unusable = str(place[0]).replace("dataloader", "pipeline"), used
    for key in reversed(place[:-1]):
        if name in unusable:
            name = f"{key}_{name}"
    return name
