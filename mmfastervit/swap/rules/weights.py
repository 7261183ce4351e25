"""Checkpoints and runs of the old model: what names them goes."""

from collections.abc import Sequence
from typing import Any

from mmfastervit.checkpoint.published import LICENCE, SCHEME
from mmfastervit.config.changes import Change
from mmfastervit.config.tree import ABSENT, Path, dict_at, keyed_items, plain, type_name, value_at
from mmfastervit.swap.context import Context, Outcome


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
    settings = (
        ("resume", False, "there is no run of the new model to go on with"),
        ("work_dir", None, "the old model's; train.py takes one named after the new file"),
    )
    return [Change((key,), cfg[key], now, why) for key, now, why in settings if cfg.get(key)]


def drop_checkpoints(cfg: dict, model_path: Path) -> list[Change]:
    """Drop weights of the old model outside its backbone: whole detectors, ``pretrained``."""
    places: list[Path] = [("load_from",)]
    for path in dict.fromkeys([("model",), model_path]):
        places.append((*path, "pretrained"))
        settings = dict_at(cfg, path).get("init_cfg")
        kinds = [type_name(one.get("type", "")) for _, one in keyed_items(settings, "")]
        if "Pretrained" in kinds:
            places.append((*path, "init_cfg"))
    named = ((place, plain(value_at(cfg, place))) for place in places)
    why = "weights of the old backbone"
    return [Change(place, was, None, why) for place, was in named if was and was is not ABSENT]


def forget_names(cfg: dict, dropped: Sequence[Any]) -> list[Change]:
    """Clear top-level variables that only held the name of a dropped checkpoint."""
    files = [one.get("checkpoint") if isinstance(one, dict) else one for one in dropped]
    return [
        Change((key,), value, None, "the base's, of the old backbone")
        for key, value in cfg.items()
        if isinstance(value, str) and value and value in files and key != "load_from"
    ]
