"""Optimizer and schedule: what in a training recipe belongs to the old backbone."""

import math
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mmfastervit.config.changes import Change
from mmfastervit.config.tree import ABSENT, dict_at, dotted, plain, type_name, value_at, walk
from mmfastervit.swap.context import Context, Outcome
from mmfastervit.swap.probing import parameter_names
from mmfastervit.swap.zoo import SWIN_KEYS

from .layer_decay import follow_layer_decay

# Their learning rates are a hundred times AdamW's; torch's own where a config names none.
_STEEP = {"SGD": 1e-3, "RMSprop": 1e-2}
_OPTIMIZER = ("optim_wrapper", "optimizer")
_PARAMWISE = ("optim_wrapper", "paramwise_cfg")
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
    batch: int = 16

    def lr_for(self, batch: int) -> float:
        """Learning rate at another batch size: by the square root, to two digits."""
        return float(f"{self.lr * math.sqrt(batch / self.batch):.1e}")


RECIPES = {
    "mmdet": Recipe(1e-4, 0.05),
    "mmseg": Recipe(6e-5, 0.01),
    "mmpretrain": Recipe(1e-3, 0.05, batch=1024),
}


class Batch(NamedTuple):
    """Images a step, and where a config tells of them, for the summary."""

    images: int
    source: str


def rule(context: Context) -> Outcome:
    """Adapt what goes by the old backbone's names and, where it is SGD, the optimizer."""
    cfg = context.cfg
    changes, notes = follow_layer_decay(context, dict_at(cfg, _PARAMWISE)), list[str]()
    if custom_keys(cfg) or cfg.get("custom_hooks"):
        prefix = dotted((*context.path[1:], "backbone", ""))
        old, new = (
            parameter_names(one, context.scope)
            for one in (context.part["backbone"], context.backbone)
        )
        replaced = replace_custom_keys(cfg, prefix, old, new)
        if replaced:
            changes = follow_layer_decay(context, replaced[0].now) or replaced
        notes += hooks_that_name(cfg, prefix, old, new)
    if not context.keep_optimizer:
        recipe = recipe_for(context.part, context.scope)
        batch = batch_of(cfg, context.original.filename, recipe)
        changes += adapt_optimizer(cfg, recipe, batch)
        notes += optimizer_notes(cfg, recipe, batch)
    return Outcome(changes, notes)


def recipe_for(part: dict, scope: str | None) -> Recipe:
    """By the kind of head: a classifier's is called ``head``, a segmentor's ``decode_head``."""
    if scope == "mmpretrain" or "head" in part:
        return RECIPES["mmpretrain"]
    return RECIPES["mmseg" if scope == "mmseg" or "decode_head" in part else "mmdet"]


def batch_of(cfg: dict, filename: str | None, recipe: Recipe) -> Batch:
    """Images a step: by ``auto_scale_lr``, the file's name (``8xb2``), or the data loader."""
    base = dict_at(cfg, ("auto_scale_lr",)).get("base_batch_size")
    if base:
        return Batch(base, "auto_scale_lr.base_batch_size")
    named = re.search(r"(\d+)xb(\d+)", os.path.basename(filename or ""))
    if named:
        return Batch(int(named[1]) * int(named[2]), f"{named[0]} in the file's name")
    on_one = dict_at(cfg, ("train_dataloader",)).get("batch_size")
    source = "train_dataloader.batch_size on one GPU" if on_one else "assumed"
    more = "set optim_wrapper.optimizer.lr for another number"
    return Batch(on_one or recipe.batch, f"{source}; {more}")


def optimizer_notes(cfg: dict, recipe: Recipe, batch: Batch) -> Iterator[str]:
    """Say of an optimizer that stays what the recipe has, unless it is near."""
    optimizer, wanted = dict_at(cfg, _OPTIMIZER), recipe.lr_for(batch.images)
    kind, lr = type_name(optimizer.get("type", "")), optimizer.get("lr")
    near = kind == "AdamW" and lr is not None and wanted / 2 <= lr <= wanted * 2
    if optimizer and kind not in _STEEP and not near:
        rate = "its default lr" if lr is None else f"lr {lr:g}"
        yield (
            f"the optimizer stays {kind}, {rate}, chosen for the old backbone; FasterViT's recipe "
            f"is AdamW, lr {wanted:g} for {batch.images} images a step ({batch.source})"
        )


def adapt_optimizer(cfg: dict, recipe: Recipe, batch: Batch) -> list[Change]:
    """Put the recipe's AdamW in place of SGD, with what hangs on the learning rate.

    Any other optimizer is left as it is, see :func:`optimizer_notes`.
    """
    optimizer, lr = dict_at(cfg, _OPTIMIZER), recipe.lr_for(batch.images)
    kind = type_name(optimizer.get("type", ""))
    if kind not in _STEEP:
        return []
    now = dict(_delete_=True, type="AdamW", lr=lr, weight_decay=recipe.weight_decay)
    why = (
        f"the recipe's AdamW, lr {recipe.lr:g} for {recipe.batch} images a step, here {lr:g} for "
        f"{batch.images} ({batch.source}); --keep-optimizer leaves the old one"
    )
    ratio = lr / (optimizer.get("lr") or _STEEP[kind])
    change = Change(_OPTIMIZER, plain(optimizer), now, why)
    return [change, *_exclusions(cfg), *_schedule(cfg, ratio)]


def _exclusions(cfg: dict) -> Iterator[Change]:
    """Norms without weight decay, biases with no learning rate of their own."""
    why = "as in the recipes of AdamW"
    if value_at(cfg, _PARAMWISE) is None:  # mmengine merges no dict into None
        yield Change(_PARAMWISE, None, dict(_delete_=True, norm_decay_mult=0.0), why)
        return
    paramwise = dict_at(cfg, _PARAMWISE)
    for key, now in (("norm_decay_mult", 0.0), ("bias_lr_mult", 1.0)):
        was = paramwise.get(key, ABSENT)
        if was != now and not (key == "bias_lr_mult" and was in (ABSENT, None)):
            yield Change((*_PARAMWISE, key), was, now, why)


def _schedule(cfg: dict, ratio: float) -> Iterator[Change]:
    """Scale absolute learning rates of the schedule, and warm up where nothing does."""
    schedule = cfg.get("param_scheduler")
    if not schedule:
        return
    now = [plain(one) for one in ([schedule] if isinstance(schedule, dict) else schedule)]
    reasons = []
    for one in now:
        if one.get("eta_min"):
            one["eta_min"] = float(f"{one['eta_min'] * ratio:.1e}")
            reasons = ["the lowest rate follows the learning rate"]
    kinds = [type_name(one.get("type", "")) for one in now]
    if not any(kind in ("LinearLR", "ConstantLR") or "Warmup" in kind for kind in kinds):
        warmup = dict(type="LinearLR", start_factor=1e-6, by_epoch=False, begin=0)
        end, share = _warmup_iters(cfg)
        now.insert(0, dict(warmup, end=end))
        reasons.append(f"AdamW wants a warm-up: {share}")
    if reasons:
        yield Change(("param_scheduler",), plain(schedule), now, "; ".join(reasons))


def _warmup_iters(cfg: dict) -> tuple[int, str]:
    """The recipe's warm-up, or a tenth of a run that is short; and how to say it."""
    length = dict_at(cfg, ("train_cfg",)).get("max_iters")
    if length:
        end = max(1, min(_WARMUP_ITERS, length // 10))
        return end, f"{end} of {length} iterations"
    return _WARMUP_ITERS, (
        f"{_WARMUP_ITERS} iterations; give its end a smaller number where the run has fewer than "
        f"{10 * _WARMUP_ITERS}"
    )


def replace_custom_keys(
    cfg: dict, prefix: str, old: Collection[str], new: Collection[str]
) -> list[Change]:
    """Drop the parameter settings that name modules of the old backbone.

    Where they took the old norms out of weight decay, FasterViT's norms are taken out instead.
    ``old`` and ``new`` are parameter names of the backbones, ``prefix`` their place in the model.
    """
    paramwise, custom = dict_at(cfg, _PARAMWISE), custom_keys(cfg)
    lost = [
        key
        for key in custom
        if key.startswith("backbone.")
        or key.strip(".") in SWIN_KEYS
        or (_matches(key, prefix, old) and not _matches(key, prefix, new))
    ]
    if not lost:
        return []
    kept = {key: plain(value) for key, value in custom.items() if key not in lost}
    if any("norm" in key and dict_at(custom, (key,)).get("decay_mult") == 0 for key in lost):
        rate = {
            key: value for key, value in dict_at(custom, ("backbone",)).items() if key == "lr_mult"
        }
        kept.update({key: dict(rate, decay_mult=0.0) for key in norm_keys(new)})
    rest = {key: plain(value) for key, value in paramwise.items() if key != "custom_keys"}
    now = dict(_delete_=True, **rest, custom_keys=kept)
    why = f"{len(lost)} settings named parameters of the old backbone"
    return [Change(_PARAMWISE, plain(paramwise), now, why)]


def hooks_that_name(
    cfg: dict, prefix: str, old: Collection[str], new: Collection[str]
) -> Iterator[str]:
    """Say of each hook which parts of the old backbone it names that FasterViT has not."""
    parts, new_parts = (_parts_of(names, prefix) for names in (old, new))
    for i, hook in enumerate(cfg.get("custom_hooks") or ()):
        texts = {text for _, text in walk(hook, skip=("type",)) if isinstance(text, str)}
        named = sorted(text for text in texts if text in parts and text not in new_parts)
        if named:
            kind, listed = type_name(hook.get("type", "a hook")), ", ".join(named)
            yield f"custom_hooks.{i}, {kind}, names {listed} of the old backbone: adapt it"


def _parts_of(names: Collection[str], prefix: str) -> set[str]:
    """The parameters and the modules above them, with the prefix and without."""
    dotted = [name.split(".") for name in names]
    parts = {".".join(keys[:end]) for keys in dotted for end in range(1, len(keys) + 1)}
    return parts | {prefix + part for part in parts}


def custom_keys(cfg: dict) -> dict:
    """Settings by parts of parameter names; empty where there are none."""
    return dict_at(cfg, (*_PARAMWISE, "custom_keys"))


def _matches(key: str, prefix: str, names: Collection[str]) -> bool:
    return any(key in prefix + name for name in names)


def norm_keys(names: Collection[str]) -> list[str]:
    """Substrings of FasterViT's parameter names that its norms have and nothing else.

    Each is longer than ``"backbone"``, because mmengine lets the longest key decide.
    """
    found = (re.search(r"\w+\.(\d+\.)?norm|out_norms", name) for name in names)
    return sorted({match[0] for match in found if match})
