"""What of a config makes building a part of it fail, in one line: the key, and what was meant."""

import linecache
import re
import traceback
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import OPTIMIZERS, Registry, build_from_cfg
from torch.utils.data import DataLoader

from mmfastervit.signatures import nearest, options_of, options_through

from .tree import dotted, value_at, walk

_UNKNOWN_OPTION = re.compile(r"got an unexpected keyword argument '(\w+)'")
_LACKING_OPTION = re.compile(r"missing \d+ required (?:positional|keyword-only) arguments?: (.*)")


def explain(error: Exception, cfg: Config) -> str:
    """Say in one line what of a config made building fail.

    Args:
        error: What was raised while mmengine's registries built parts of the config.
        cfg: The config.
    """
    optimizer = value_at(cfg.to_dict(), ("optim_wrapper", "optimizer", "type"))
    if (
        isinstance(optimizer, str) and OPTIMIZERS.get(optimizer) is None
    ):  # mmengine looks it up bare
        return _no_type("optim_wrapper.optimizer", optimizer, OPTIMIZERS)
    walked = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    built = [frame for frame in walked if frame.f_code is build_from_cfg.__code__]
    if not built:
        return _bare(error, cfg)
    part, scope = built[-1].f_locals, built[-1].f_locals["registry"]
    node = part["cfg"]
    key = place_of(node, cfg)
    kind = part.get("obj_cls")
    if not isinstance(node, dict) or "type" not in {**node, **(part["default_args"] or {})}:
        return f"{key}: expected a dict with a type, got {' '.join(str(node).split())[:80]}"
    if kind is None and isinstance(error, KeyError):
        return _no_type(key, node.get("type"), scope)
    if kind is None:
        return f"{key}: {told(error)}"
    name, text = getattr(kind, "__name__", str(kind)), str(error)
    unknown, lacking = _UNKNOWN_OPTION.search(text), _LACKING_OPTION.search(text)
    if isinstance(error, TypeError) and unknown and unknown[1] in node:
        options = options_through(kind)
        return f"{key}.{unknown[1]}: {name} takes no {unknown[1]!r}{nearest(unknown[1], options)}"
    if isinstance(error, TypeError) and lacking:
        return f"{key}: {name} needs {lacking[1]}"
    return f"{key}: {name} cannot be built: {told(error)}"


def _bare(error: Exception, cfg: Config) -> str:
    """What failed outside of the registries, as the data loaders, which mmengine makes itself."""
    unknown = _UNKNOWN_OPTION.search(str(error)) if isinstance(error, TypeError) else None
    keys = [
        dotted(path) for path, _ in walk(cfg.to_dict()) if unknown and path[-1:] == (unknown[1],)
    ]
    if not (unknown and keys):
        return told(error)
    known = options_of(DataLoader) if "DataLoader" in str(error) else ()
    return f"{keys[0]}: there is no {unknown[1]!r} here{nearest(unknown[1], known)}"


def place_of(node: Any, cfg: Config) -> str:
    """Where in a config a part stands, as ``--cfg-options`` writes it; its type if that is open.

    Parts are copied and added to on their way to a registry, so the one with most in common counts.
    """
    if not isinstance(node, dict):
        return "a part of the config"
    places = [
        (sum(part.get(k) == v for k, v in node.items()), dotted(path))
        for path, part in walk(cfg.to_dict())
        if isinstance(part, dict) and part.get("type") == node.get("type")
    ]
    return max(places, key=lambda place: place[0])[1] if places else str(node.get("type"))


def _no_type(key: str, name: Any, registry: Registry) -> str:
    known: list[str] = []
    scope: Registry | None = registry
    while scope is not None:
        known += scope.module_dict
        scope = scope.parent
    return f"{key}.type={name!r}: no {registry.name} has that name{nearest(str(name), known)}"


def told(error: Exception) -> str:
    """An error's type and first line, and where in the code it was raised; of ours, its message."""
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    *_, (frame, number) = traceback.walk_tb(error.__traceback__)
    if str(frame.f_globals.get("__name__")).startswith("mmfastervit.") and lines:
        return text
    file = frame.f_code.co_filename
    what = lines[0] if lines else f"`{linecache.getline(file, number).strip()}`"
    return f"{type(error).__name__}: {what} ({Path(file).name}, line {number})"
