"""From a config and an architecture to the list of changes that swap the backbone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from mmengine.config import Config

from mmfastervit.config.files import read_config
from mmfastervit.config.tree import ABSENT, Path, plain, type_name, value_at

from .backbone import checkpoint_for, licence_note, settings_of
from .changes import Change, apply_changes
from .consumers import neck_configs, wants_all_maps
from .errors import SwapRefusedError
from .fitting import consequences, fit_backbone, reader_changes
from .images import normalise
from .measure import parameter_names
from .refusals import check_model, check_parts
from .training import (
    RECIPES,
    Recipe,
    adapt_optimizer,
    batch_of,
    custom_keys,
    drop_checkpoints,
    drop_layer_decay,
    forget_names,
    hooks_that_name,
    leave_old_run,
    optimizer_note,
    replace_custom_keys,
)


@dataclass(frozen=True)
class Swap:
    """What a swap does.

    Args:
        original: The config before.
        changes: Every value that is set, in the order of the model.
        notes: Consequences that no single change shows.
        model_path: Place of the model that holds the backbone.
    """

    original: Config
    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    model_path: Path

    @property
    def config(self) -> Config:
        """The config after."""
        return apply_changes(self.original, self.changes)


def swap_backbone(
    cfg: Config | str | FilePath,
    arch: str | Mapping,
    *,
    pretrained: str | None = None,
    backbone_options: Mapping[str, Any] | None = None,
    keep_optimizer: bool = False,
) -> Config:
    """Put FasterViT in place of the backbone of a detector, segmentor or classifier.

    The old backbone is built from its config and run once, so that each map it gave out is known by
    channels and stride; whatever reads them is changed to read FasterViT's map of that stride.

    Args:
        cfg: A config, a config file, or the name of an installed one, ``"mmdet::FOLDER/FILE.py"``.
        arch: Name of the architecture, ``"fastervit_0"`` and so on, or a dict of the fields of
            :class:`~mmfastervit.archs.Arch`.
        pretrained: Weights: a file, a URL, ``"mmfastervit://NAME"``, or ``"none"``; None takes the
            published ones of ``arch`` (for non-commercial use).
        backbone_options: Further arguments of :class:`~mmfastervit.FasterViT`.
        keep_optimizer: Leave SGD where it is SGD, instead of the recipe's AdamW.

    Returns:
        A new config; ``cfg`` is left as it was.

    Raises:
        SwapRefusedError: the backbone of this model can't be swapped; says why.
        ValueError: an unknown arch, weights that don't fit it, or a config that doesn't fit itself.
        FileNotFoundError: there is no such config, or no such file of weights.
        TypeError: an unknown option.
    """
    return plan_swap(
        cfg,
        arch,
        pretrained=pretrained,
        backbone_options=backbone_options,
        keep_optimizer=keep_optimizer,
    ).config


def plan_swap(
    cfg: Config | str | FilePath,
    arch: str | Mapping,
    *,
    pretrained: str | None = None,
    backbone_options: Mapping[str, Any] | None = None,
    keep_optimizer: bool = False,
) -> Swap:
    """Work out what :func:`swap_backbone` does; arguments and errors are the same."""
    original = cfg if isinstance(cfg, Config) else read_config(cfg)
    cfg = plain(original.to_dict())
    scope = scope_of(cfg)
    check_model(cfg, scope)
    path = find_model(cfg)
    part = value_at(cfg, path)
    check_parts(part, scope)
    checkpoint = checkpoint_for(arch, pretrained)
    if part["backbone"].get("in_channels", 3) != 3 and pretrained is None:
        checkpoint = None  # the published stem reads three channels
    maps = fit_backbone(part, arch, checkpoint, backbone_options or {}, scope)

    changes = normalise(cfg, maps.in_channels)
    changes += [_backbone_change(part, path, maps.backbone), *reader_changes(part, path, maps)]
    changes += _unread_maps(cfg, part)
    changes += leave_old_run(cfg) + drop_checkpoints(cfg, path)
    changes += forget_names(cfg, _dropped_weights(part, changes))
    in_training, notes = _names_in_training(cfg, path, maps.backbone, scope)
    changes += in_training
    notes = [*consequences(part, maps), *notes]
    if not keep_optimizer:
        recipe = _recipe(part, scope)
        batch = batch_of(cfg, original.filename, recipe)
        changes += adapt_optimizer(cfg, recipe, batch)
        notes.append(optimizer_note(cfg, recipe, batch))
    notes.append(licence_note(checkpoint))
    return Swap(original, tuple(changes), tuple(note for note in notes if note), path)


def find_model(cfg: dict) -> Path:
    """Place of the model that holds the image backbone: the config's, or the detector inside it.

    Raises:
        SwapRefusedError: there is none.
    """
    for path in (("model",), ("model", "detector")):
        part = value_at(cfg, path)
        if isinstance(part, dict) and isinstance(part.get("backbone"), dict):
            return path
    kind = type_name(cfg["model"].get("type", ""))
    raise SwapRefusedError(f"its model {kind} has no backbone")


def scope_of(cfg: dict) -> str | None:
    """The OpenMMLab package whose names the config uses."""
    return cfg.get("default_scope")


def _backbone_change(part: dict, path: Path, backbone: dict) -> Change:
    old = plain(part["backbone"])
    settings = {
        key: old[key]
        for key in ("frozen_stages", "norm_eval")
        if old.get(key, False) not in (False, None, -1)
    }
    why = "the new backbone, with the maps that are read"
    if settings:
        listed = ", ".join(f"{key}={value}" for key, value in settings.items())
        why += f"; {listed} of the old one do not carry over: all of it is trained"
    said = {"with_cp": "with_cp=True", "norm_cfg": "SyncBN"}
    kept = [said[key] for key, value in settings_of(old).items() if backbone.get(key) == value]
    if kept:
        why += f"; {' and '.join(kept)} as the old one had"
    return Change((*path, "backbone"), old, dict(_delete_=True, **backbone), why)


def _unread_maps(cfg: dict, part: dict) -> list[Change]:
    if not any(map(wants_all_maps, neck_configs(part))):
        return []
    key = "find_unused_parameters"
    why = "the neck wants all maps and does not read the first: its norm gets no gradient"
    return [Change((key,), cfg.get(key, ABSENT), True, why)]


def _dropped_weights(part: dict, changes: Sequence[Change]) -> list[Any]:
    inside = [part["backbone"].get(key) for key in ("init_cfg", "pretrained")]
    return inside + [change.was for change in changes if change.path[-1] == "pretrained"]


def _names_in_training(
    cfg: dict, path: Path, backbone: dict, scope: str | None
) -> tuple[list[Change], list[str]]:
    """Changes and notes of what goes by the names of the old backbone's parts."""
    changes = drop_layer_decay(cfg)
    if not custom_keys(cfg) and not cfg.get("custom_hooks"):
        return changes, []
    prefix = ".".join((*path[1:], "backbone", ""))
    old = value_at(cfg, (*path, "backbone"))
    names = [parameter_names(one, scope) for one in (old, backbone)]
    if not changes:
        changes = replace_custom_keys(cfg, prefix, *names)
    return changes, list(hooks_that_name(cfg, prefix, *names))


def _recipe(part: dict, scope: str | None) -> Recipe:
    """By the kind of head: a classifier's is called ``head``, a segmentor's ``decode_head``."""
    if scope == "mmpretrain" or "head" in part:
        return RECIPES["mmpretrain"]
    return RECIPES["mmseg" if scope == "mmseg" or "decode_head" in part else "mmdet"]
