"""Checkpoints and runs of the old model: what names them goes."""

from collections.abc import Sequence
from typing import Any

from mmfastervit.checkpoint.published import LICENCE, SCHEME
from mmfastervit.config.tree import Path, dict_at, keyed_items, plain, type_name
from mmfastervit.swap.changes import Change, Outcome
from mmfastervit.swap.context import Context


def rule(context: Context) -> Outcome:
    """Drop the old model's weights and runs, and say what the new weights' publisher allows."""
    dropped = drop_checkpoints(context.cfg, context.path)
    named = [context.part["backbone"].get(key) for key in ("init_cfg", "pretrained")]
    named += [change.was for change in dropped if change.path[-1] == "pretrained"]
    changes = [*leave_old_run(context.cfg), *dropped, *forget_names(context.cfg, named)]
    checkpoint = context.checkpoint or ""
    notes = (
        [f"{checkpoint}: its publisher allows {LICENCE}"] if checkpoint.startswith(SCHEME) else []
    )
    return Outcome(changes, notes)


def leave_old_run(cfg: dict) -> list[Change]:
    """Neither go on with a run of the old model nor write over it."""
    changes = []
    if cfg.get("resume"):
        why = "there is no run of the new model to go on with"
        changes.append(Change(("resume",), cfg["resume"], False, why))
    if cfg.get("work_dir"):
        why = "the old model's; train.py takes one named after the new file"
        changes.append(Change(("work_dir",), cfg["work_dir"], None, why))
    return changes


def drop_checkpoints(cfg: dict, model_path: Path) -> list[Change]:
    """Drop weights of the old model outside its backbone: whole detectors, ``pretrained``."""
    why, changes = "weights of the old backbone", []
    if cfg.get("load_from"):
        changes.append(Change(("load_from",), cfg["load_from"], None, why))
    for path in dict.fromkeys([("model",), model_path]):
        part = dict_at(cfg, path)
        if part.get("pretrained"):
            changes.append(Change((*path, "pretrained"), part["pretrained"], None, why))
        settings = part.get("init_cfg")
        kinds = [type_name(one.get("type", "")) for _, one in keyed_items(settings, "")]
        if "Pretrained" in kinds:
            changes.append(Change((*path, "init_cfg"), plain(settings), None, why))
    return changes


def forget_names(cfg: dict, dropped: Sequence[Any]) -> list[Change]:
    """Clear top-level variables that only held the name of a dropped checkpoint."""
    files = [one.get("checkpoint") if isinstance(one, dict) else one for one in dropped]
    return [
        Change((key,), value, None, "the base's, of the old backbone")
        for key, value in cfg.items()
        if isinstance(value, str) and value and value in files and key != "load_from"
    ]
