"""Optimizer, schedule and checkpoints: what in a training recipe belongs to the old backbone."""

import math
import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mmfastervit.config.tree import ABSENT, Path, plain, type_name, value_at

from .changes import Change

_STEEP = {"SGD", "RMSprop"}  # their learning rates are a hundred times AdamW's
_RECIPE_BATCH = 16
_WARMUP_ITERS = 1500


@dataclass(frozen=True)
class Recipe:
    """AdamW as this package's recipes have it.

    Args:
        lr: Learning rate for ``batch`` images a step.
        weight_decay: Weight decay, of everything but norms.
        batch: Images a step.
    """

    lr: float
    weight_decay: float
    batch: int = _RECIPE_BATCH

    def lr_for(self, batch: int) -> float:
        """Learning rate at another batch size: by the square root, to two digits."""
        return float(f"{self.lr * math.sqrt(batch / self.batch):.1e}")


@dataclass(frozen=True)
class Batch:
    """Images a step, as far as a config tells.

    Args:
        images: Their number.
        source: Where it stands, for the summary.
    """

    images: int
    source: str


RECIPES = {
    "mmdet": Recipe(1e-4, 0.05),
    "mmseg": Recipe(6e-5, 0.01),
    "mmpretrain": Recipe(1e-3, 0.05, batch=1024),
}


def batch_of(cfg: dict, filename: str | None, recipe: Recipe) -> Batch:
    """Images a step: by ``auto_scale_lr``, the file's name (``8xb2``), or the data loader."""
    base = (cfg.get("auto_scale_lr") or {}).get("base_batch_size")
    if base:
        return Batch(base, "auto_scale_lr.base_batch_size")
    named = re.search(r"(\d+)xb(\d+)", os.path.basename(filename or ""))
    if named:
        return Batch(int(named[1]) * int(named[2]), f"{named[0]} in the file's name")
    on_one = (cfg.get("train_dataloader") or {}).get("batch_size")
    more = "set optim_wrapper.optimizer.lr for another number"
    if on_one:
        return Batch(on_one, f"train_dataloader.batch_size on one GPU; {more}")
    return Batch(recipe.batch, f"assumed; {more}")


def optimizer_note(cfg: dict, recipe: Recipe, batch: Batch) -> str | None:
    """What to say of an optimizer that stays; None where it is near the recipe's."""
    optimizer = value_at(cfg, ("optim_wrapper", "optimizer"))
    if not isinstance(optimizer, dict) or type_name(optimizer["type"]) in _STEEP:
        return None
    kind, lr = type_name(optimizer["type"]), optimizer.get("lr")
    wanted = recipe.lr_for(batch.images)
    if kind == "AdamW" and lr is not None and wanted / 2 <= lr <= wanted * 2:
        return None
    rate = "its default lr" if lr is None else f"lr {lr:g}"
    return (
        f"the optimizer stays {kind}, {rate}, chosen for the old backbone; FasterViT's recipe is "
        f"AdamW, lr {wanted:g} for {batch.images} images a step ({batch.source})"
    )


def adapt_optimizer(cfg: dict, recipe: Recipe, batch: Batch) -> list[Change]:
    """Put the recipe's AdamW in place of SGD, with what hangs on the learning rate.

    Any other optimizer is left as it is, see :func:`optimizer_note`.
    """
    optimizer = value_at(cfg, ("optim_wrapper", "optimizer"))
    if optimizer is ABSENT or type_name(optimizer["type"]) not in _STEEP:
        return []
    lr = recipe.lr_for(batch.images)
    now = dict(_delete_=True, type="AdamW", lr=lr, weight_decay=recipe.weight_decay)
    why = (
        f"the recipe's AdamW, lr {recipe.lr:g} for {recipe.batch} images a step, here {lr:g} for "
        f"{batch.images} ({batch.source}); --keep-optimizer leaves the old one"
    )
    changes = [Change(("optim_wrapper", "optimizer"), plain(optimizer), now, why)]
    changes += _exclusions(cfg)
    return changes + _schedule(cfg, lr / optimizer["lr"])


def _exclusions(cfg: dict) -> Iterator[Change]:
    """Norms without weight decay, biases with no learning rate of their own."""
    place = ("optim_wrapper", "paramwise_cfg")
    paramwise = value_at(cfg, place)
    paramwise = {} if paramwise in (ABSENT, None) else paramwise
    for key, now in (("norm_decay_mult", 0.0), ("bias_lr_mult", 1.0)):
        was = paramwise.get(key, ABSENT)
        if was != now and not (key == "bias_lr_mult" and was is ABSENT):
            yield Change((*place, key), was, now, "as in the recipes of AdamW")


def _schedule(cfg: dict, ratio: float) -> list[Change]:
    """Scale absolute learning rates of the schedule, and warm up where nothing does."""
    schedule = cfg.get("param_scheduler")
    if not schedule:
        return []
    single = isinstance(schedule, dict)
    now = [plain(one) for one in ([schedule] if single else schedule)]
    reasons = []
    for one in now:
        if one.get("eta_min"):
            one["eta_min"] = float(f"{one['eta_min'] * ratio:.1e}")
            reasons.append("the lowest rate follows the learning rate")
    if not any(_warms_up(type_name(one["type"])) for one in now):
        warmup = dict(type="LinearLR", start_factor=1e-6, by_epoch=False, begin=0)
        end, share = _warmup_iters(cfg)
        now.insert(0, dict(warmup, end=end))
        reasons.append(f"AdamW wants a warm-up: {share}")
    if not reasons:
        return []
    return [Change(("param_scheduler",), plain(schedule), now, "; ".join(dict.fromkeys(reasons)))]


def _warmup_iters(cfg: dict) -> tuple[int, str]:
    """The recipe's warm-up, or a tenth of a run that is short; and how to say it."""
    length = (cfg.get("train_cfg") or {}).get("max_iters")
    if length:
        end = max(1, min(_WARMUP_ITERS, length // 10))
        return end, f"{end} of {length} iterations"
    return _WARMUP_ITERS, (
        f"{_WARMUP_ITERS} iterations; give its end a smaller number where the run has fewer than "
        f"{10 * _WARMUP_ITERS}"
    )


def _warms_up(kind: str) -> bool:
    return kind in ("LinearLR", "ConstantLR") or "Warmup" in kind


def drop_layer_decay(cfg: dict) -> list[Change]:
    """Drop an optimizer constructor that gives each layer of the old backbone a rate of its own."""
    wrapper = cfg.get("optim_wrapper") or {}
    constructor = wrapper.get("constructor")
    if constructor is None or "Decay" not in type_name(constructor):
        return []
    why = f"{type_name(constructor)} knows the old backbone's layers by name"
    return [
        Change(
            ("optim_wrapper", "constructor"), constructor, "DefaultOptimWrapperConstructor", why
        ),
        Change(
            ("optim_wrapper", "paramwise_cfg"),
            plain(wrapper.get("paramwise_cfg", ABSENT)),
            # Some heads share parameters, which that constructor took once.
            dict(_delete_=True, norm_decay_mult=0.0, bypass_duplicate=True),
            why,
        ),
    ]


def replace_custom_keys(
    cfg: dict, prefix: str, old: Collection[str], new: Collection[str]
) -> list[Change]:
    """Drop the parameter settings that name modules of the old backbone.

    Where they took the old norms out of weight decay, FasterViT's norms are taken out instead.

    Args:
        cfg: The whole config.
        prefix: Where the backbone is in the model, such as ``"backbone."``.
        old: Parameter names of the old backbone.
        new: Parameter names of FasterViT.
    """
    place = ("optim_wrapper", "paramwise_cfg")
    paramwise, custom = value_at(cfg, place), custom_keys(cfg)
    lost = [
        key
        for key in custom
        if key.startswith("backbone.")
        or key.strip(".") in _SWIN_KEYS
        or (_matches(key, prefix, old) and not _matches(key, prefix, new))
    ]
    if not lost:
        return []
    kept = {key: plain(value) for key, value in custom.items() if key not in lost}
    if any("norm" in key and custom[key].get("decay_mult") == 0 for key in lost):
        rate = {key: value for key, value in custom.get("backbone", {}).items() if key == "lr_mult"}
        kept.update({key: dict(rate, decay_mult=0.0) for key in norm_keys(new)})
    rest = {key: plain(value) for key, value in paramwise.items() if key != "custom_keys"}
    now = dict(_delete_=True, **rest, custom_keys=kept)
    why = f"{len(lost)} settings named parameters of the old backbone"
    return [Change(place, plain(paramwise), now, why)]


def hooks_that_name(
    cfg: dict, prefix: str, old: Collection[str], new: Collection[str]
) -> Iterator[str]:
    """Say of each hook that names a part of the old backbone, one that FasterViT has not.

    Args:
        cfg: The whole config.
        prefix: Where the backbone is in the model, such as ``"backbone."``.
        old: Parameter names of the old backbone.
        new: Parameter names of FasterViT.
    """
    parts, new_parts = (_parts_of(names, prefix) for names in (old, new))
    for i, hook in enumerate(cfg.get("custom_hooks") or ()):
        named = sorted({text for text in _texts(hook) if text in parts and text not in new_parts})
        if named:
            kind = type_name(hook.get("type", "a hook"))
            listed = ", ".join(named)
            yield f"custom_hooks.{i}, {kind}, names {listed} of the old backbone: adapt it"


def _parts_of(names: Collection[str], prefix: str) -> set[str]:
    """The parameters and the modules above them, with the prefix and without."""
    dotted = [name.split(".") for name in names]
    parts = {".".join(keys[:end]) for keys in dotted for end in range(1, len(keys) + 1)}
    return parts | {prefix + part for part in parts}


def _texts(value: Any) -> Iterator[str]:
    """All strings inside, but for types."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key != "type":
                yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)


def custom_keys(cfg: dict) -> dict:
    """Settings by parts of parameter names; empty where there are none."""
    paramwise = value_at(cfg, ("optim_wrapper", "paramwise_cfg"))
    return (paramwise.get("custom_keys") if isinstance(paramwise, dict) else None) or {}


# Names of Swin's position embeddings, which configs list whether or not the model has them.
_SWIN_KEYS = ("absolute_pos_embed", "relative_position_bias_table")


def _matches(key: str, prefix: str, names: Collection[str]) -> bool:
    return any(key in prefix + name for name in names)


def norm_keys(names: Collection[str]) -> list[str]:
    """Substrings of FasterViT's parameter names that its norms have and nothing else.

    Each is longer than ``"backbone"``, because mmengine lets the longest key decide.
    """
    owners = {name.rsplit(".", 1)[0] for name in names if "norm" in name}
    keys = set()
    for owner in owners:
        parent, norm = owner.rsplit(".", 1)
        norm = norm.rstrip("0123456789")
        last = parent.split(".")[-1]
        if last.isdigit():  # blocks.0.norm1, downsamples.0.norm
            keys.add(".".join([*parent.split(".")[-2:], norm]))
        else:
            keys.add(f"{last}.{norm}".removesuffix("."))
    return sorted(keys)


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
    """Drop weights of the old model outside its backbone: whole detectors, ``pretrained``.

    Args:
        cfg: The whole config.
        model_path: Path of the model that has the backbone.
    """
    why = "weights of the old backbone"
    changes = []
    if cfg.get("load_from"):
        changes.append(Change(("load_from",), cfg["load_from"], None, why))
    for path in dict.fromkeys([("model",), model_path]):
        part = value_at(cfg, path)
        if part.get("pretrained"):
            changes.append(Change((*path, "pretrained"), part["pretrained"], None, why))
        init_cfg = part.get("init_cfg")
        if any(_loads(one) for one in init_cfg or [] if isinstance(init_cfg, (list, tuple))) or (
            isinstance(init_cfg, dict) and _loads(init_cfg)
        ):
            changes.append(Change((*path, "init_cfg"), plain(init_cfg), None, why))
    return changes


def _loads(init_cfg: dict) -> bool:
    return type_name(init_cfg.get("type", "")) == "Pretrained"


def forget_names(cfg: dict, dropped: Sequence[Any]) -> list[Change]:
    """Clear top-level variables that only held the name of a dropped checkpoint."""
    files = {one for one in map(_checkpoint, dropped) if one}
    return [
        Change((key,), value, None, "the base's, of the old backbone")
        for key, value in cfg.items()
        if isinstance(value, str) and value in files and key != "load_from"
    ]


def _checkpoint(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("checkpoint")
    return value if isinstance(value, str) else None
