"""Writing a swap as the config file that a person would write."""

import copy
from collections.abc import Collection, Sequence
from pathlib import Path as FilePath
from typing import Any

from mmengine.config import Config

from mmfastervit.config.finding import config_files
from mmfastervit.config.source import WIDTH, Name, flat, render, subscript
from mmfastervit.config.tree import Path, dotted, plain
from mmfastervit.files import written_whole

from .changes import Change
from .errors import SwapAuditError
from .planning import Swap


def write_config(swap: Swap, base: str, target: FilePath, *, force: bool = False) -> None:
    """Write a swap to a new config file, complete or not at all, and read it back.

    Args:
        swap: What to write.
        base: How the file names the original, see :func:`~mmfastervit.config.finding.base_name`.
        target: The file.
        force: Replace it if it is there.

    Raises:
        ValueError: its name does not end in ``.py``, its folder is not there, it is there and
            ``force`` is not set, or the original is read from it.
        SwapAuditError: the file, read back, does not say what the swap says.
    """
    name = swap.original.filename  # None, or no longer there, of a config that was made in memory
    sources = config_files(name) if name and FilePath(name).is_file() else ()
    check_target(target, force=force, sources=sources)
    with written_whole(target) as part:
        part.write_text(config_text(swap, base), encoding="utf-8")
        compare(swap, Config.fromfile(part))


def check_target(target: FilePath, *, force: bool, sources: Collection[FilePath]) -> None:
    """Look before the work whether a config can be written.

    Args:
        target: The file.
        force: Replace it if it is there.
        sources: The files of the original, which the new file builds on.

    Raises:
        ValueError: nothing can be written there, one is there and ``force`` is not set, or it is
            one of ``sources``.
    """
    if target.suffix != ".py":
        raise ValueError(f"--out {target}: expected a file name ending in .py")
    if not target.parent.is_dir():
        raise ValueError(f"--out {target}: there is no folder {target.parent}")
    if target.resolve() in sources:
        raise ValueError(
            f"--out {target}: the original is read from this file, and the new one builds on it; "
            "give another name"
        )
    if target.exists() and not force:
        raise ValueError(f"--out {target} is there already; --force replaces it")


def compare(swap: Swap, read: Config) -> None:
    """Raise SwapAuditError where ``read`` does not say what ``swap`` says."""
    variables = {name for name, _, _ in _split(swap.changes, set(swap.original.to_dict()))[0]}
    variables -= {change.path[0] for change in swap.changes}
    wanted, found = plain(swap.config.to_dict()), plain(read.to_dict())
    wrong = [key for key in wanted if key not in variables and found.get(key) != wanted[key]]
    if wrong:
        raise SwapAuditError(f"the written file differs from the swap in {', '.join(wrong)}")


def config_text(swap: Swap, base: str) -> str:
    """Text of the config file: the original as its base, and what changes."""
    taken = set(swap.original.to_dict())
    lists, tree = _split(swap.changes, taken)
    arch = next(change.now["arch"] for change in swap.changes if change.path[-1] == "backbone")
    name = arch if isinstance(arch, str) else "a FasterViT"
    lines = [
        f"# {name} in place of the backbone, by tools/swap_backbone.py.",
        _base_line(base),
    ]
    for name, place, changes in lists:
        lines += ["", f"{name} = _base_.{dotted(place)}"]
        for change in changes:
            left = name + subscript(change.path[len(place) :])
            lines.append(f"{left} = {render(change.now, len(left) + 3)}")
    for key, value in tree.items():
        lines += ["", f"{key} = {render(value, len(key) + 3)}"]
    return "\n".join(_without_blanks_between_nones(lines)) + "\n"


def _base_line(base: str) -> str:
    line = f"_base_ = {flat(base)}"
    return line if len(line) <= WIDTH else f"_base_ = (\n    {flat(base)}\n)"


def _split(
    changes: Sequence[Change], taken: set[str]
) -> tuple[list[tuple[str, tuple, list[Change]]], dict[str, Any]]:
    """Part the changes that reach into lists from the others, which nest as dicts.

    mmengine merges dicts but not lists, so a list is taken from the base, changed, and put back.
    """
    lists: dict[tuple, tuple[str, list[Change]]] = {}
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
    tree = {key: value for key, value in tree.items() if value != Name(key)}
    return [(name, place, inner) for place, (name, inner) in lists.items()], tree


def _put(tree: dict, path: Path, value: Any) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = copy.deepcopy(value)  # later changes may reach into it


def _variable(place: Path, taken: set[str], used: set[str]) -> str:
    name, unusable = str(place[-1]), taken | used
    if len(place) == 1:
        return name
    if name == "pipeline":  # may replace the base's variable of that name, as a person would
        name, unusable = str(place[0]).replace("dataloader", "pipeline"), used
    for key in reversed(place[:-1]):
        if name in unusable:
            name = f"{key}_{name}"
    return name


def _without_blanks_between_nones(lines: list[str]) -> list[str]:
    """Keep the one-line assignments of ``None`` together."""
    kept = []
    for i, line in enumerate(lines):
        between = 0 < i < len(lines) - 1 and line == ""
        if between and lines[i - 1].endswith("= None") and lines[i + 1].endswith("= None"):
            continue
        kept.append(line)
    return kept
