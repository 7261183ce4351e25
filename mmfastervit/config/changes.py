"""Changes of a config: what they are, and how they are applied."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from .tree import Path, dotted, plain


@dataclass(frozen=True)
class Change:
    """One value that is set.

    Args:
        path: Where, as keys and list indices from the top of the config.
        was: The value before; :data:`~mmfastervit.config.tree.ABSENT` if there was none.
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
        return dotted(self.path)


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
