"""Changes of a config: what they are, and how they are applied."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Change:
    """One value that the swap sets.

    Args:
        path: Where, as keys and list indices from the top of the config.
        was: The value before; :data:`ABSENT` if there was none.
        now: The value after. For a dict with ``_delete_=True`` it stands in place of the old one.
        why: The reason, for the summary.
    """

    path: Path
    was: Any
    now: Any
    why: str

    @property
    def key(self) -> str:
        """The place as ``--cfg-options`` writes it."""
        return ".".join(map(str, self.path))


class _Absent:
    def __repr__(self) -> str:
        return "(absent)"


ABSENT = _Absent()


def plain(value: Any) -> Any:
    """Copy a config's dicts and lists to Python's own, without mmengine's scope marks."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key != "_scope_"}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(inner) for inner in value)
    return value


def value_at(root: Any, path: Path) -> Any:
    """Look up ``path``; :data:`ABSENT` where it leads nowhere."""
    for key in path:
        found = key in root if isinstance(root, dict) else _has_index(root, key)
        if not found:
            return ABSENT
        root = root[key]
    return root


def _has_index(root: Any, key: str | int) -> bool:
    return isinstance(root, (list, tuple)) and isinstance(key, int) and key < len(root)


def without_marker(value: Any) -> Any:
    """Drop ``_delete_`` from a replacing dict."""
    if isinstance(value, dict) and value.get("_delete_"):
        return {key: inner for key, inner in value.items() if key != "_delete_"}
    return value


def apply_changes(cfg: Config, changes: Sequence[Change]) -> Config:
    """Return a copy of ``cfg`` in which every change is made."""
    root = plain(cfg.to_dict())
    for change in changes:
        *parents, last = change.path
        holder = root
        for key in parents:
            holder = holder.setdefault(key, {}) if isinstance(holder, dict) else holder[key]
        holder[last] = copy.deepcopy(without_marker(change.now))
    return Config(root, filename=cfg.filename)
