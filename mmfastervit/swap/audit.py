"""Whether the built heads of the swapped model read what those of the original did."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.model import BaseModel
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from mmfastervit.config.building import ShapesOnly, without_weights
from mmfastervit.config.tree import Path, dotted, plain, value_at, walk
from mmfastervit.logs import warnings_only

from .errors import SwapAuditError
from .levels import is_dilated, nominal_stride
from .planning import Swap
from .probing import IMAGE_SIZE, channels_of, measure_part, necks_of
from .zoo import DECODE_KEYS

_DECLARED = ("strides", "featmap_strides", "feature_strides")
_NOT_HEADS = ("backbone", "neck", "data_preprocessor")


@dataclass
class Watched:
    """What was seen of a built model.

    Args:
        strides: Of the maps that reach its heads.
        unread: The positions of the backbone's maps that nothing is made of before the heads.
        reads: Of each head, by name, the positions of those that it makes something of.
        failures: Of each head that could not be run to its end, why.
        misfits: Of each decode head, for which other channels it was built than it reads, if so.
    """

    strides: list[int]
    unread: list[int]
    reads: dict[str, list[int]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    misfits: dict[str, str] = field(default_factory=dict)


def audit(swap: Swap) -> list[str]:
    """Build both models, run them, and compare every map that a head is seen to read.

    Neither the rules that made the changes nor what they know of named parts is asked.

    Returns:
        A line for each head whose map has another stride, which only dilated networks cause; and
        one where the original cannot be built here, so that its heads could not be watched.

    Raises:
        SwapAuditError: a head reads a map of another stride than it should, or can't be run.
        ValueError: the original's backbone or neck can't be run.
    """
    configs = (plain(cfg.to_dict()) for cfg in (swap.original, swap.config))
    parts = [value_at(cfg, swap.model_path) for cfg in configs]
    scope = swap.original.get("default_scope")
    levels, out = measure_part(parts[0], scope)
    may_coarsen, old, unseen = is_dilated(levels), None, ""
    try:
        old = watch(parts[0], scope)
    except Exception as error:  # what a model of the zoo lacks here, or its own defects
        reason = " ".join(str(error).split())
        unseen = f"the original cannot be built here ({reason}): its heads were not watched"
    try:
        _, new_out = measure_part(parts[1], scope)
        new = watch(parts[1], scope) if old else None
    except Exception as error:  # whatever building or running it raises
        raise SwapAuditError(f"the swapped model cannot be built and run: {error}") from error
    strides = [[level.stride for level in maps] for maps in (out, new_out)]
    if old is None or new is None:
        differences = [unseen, *_compare("heads", strides[0], strides[1], may_coarsen)]
    else:
        if new.unread and necks_of(parts[1]) and not swap.config.get("find_unused_parameters"):
            raise SwapAuditError(f"maps {new.unread} of the new backbone are read by nothing")
        differences = list(_compare_models(old, new, may_coarsen))
    _check_declared(parts, swap.model_path, strides)
    return differences


def _compare_models(old: Watched, new: Watched, may_coarsen: bool) -> Iterator[str]:
    for head, before in old.reads.items():
        wrong = new.misfits.get(head) or (head not in old.failures and new.failures.get(head))
        if wrong:
            raise SwapAuditError(f"{head} cannot run any more: {wrong}")
        strides = [old.strides[i] for i in before]
        now = [new.strides[i] for i in new.reads.get(head, ())]
        yield from _compare(head, strides, now, may_coarsen)
    if not any(head.startswith(DECODE_KEYS) for head in old.reads):  # those choose among maps
        yield from _compare("heads", old.strides, new.strides, may_coarsen)


def _compare(name: str, old: list[int], new: list[int], may_coarsen: bool) -> Iterator[str]:
    if len(old) != len(new):
        raise SwapAuditError(f"{name} read {len(old)} maps, and now {len(new)}")
    if old == new:
        return
    if not may_coarsen or any(after < before for before, after in zip(old, new, strict=True)):
        raise SwapAuditError(f"{name} read strides {old}, and now {new}")
    yield f"{name} read strides {old}, and now {new}"


def _check_declared(parts: Sequence[dict], path: Path, true: Sequence[list[int]]) -> None:
    """A head that declared the true strides must declare the true ones again."""
    old, new = (
        {
            dotted(place): list(value)
            for place, value in walk(part, path, skip=("backbone", "neck"))
            if place[-1] in _DECLARED and isinstance(value, (list, tuple))
        }
        for part in parts
    )
    for place, before in old.items():
        after = new.get(place)
        if before == true[0][: len(before)] and after != true[1][: len(after or ())]:
            raise SwapAuditError(f"{place} declares strides {after}, and the maps have {true[1]}")


def watch(part: dict, scope: str | None) -> Watched:
    """Build a model from its config and run it on an image, head by head."""
    with DefaultScope.overwrite_default_scope(scope), warnings_only(), torch.no_grad():
        try:
            with ShapesOnly():
                model = _build(part).to("meta")
            return _run(model, channels_of(part), "meta")
        # operators, and settings of losses, that want tensors with memory
        except (AssertionError, NotImplementedError, RuntimeError, TypeError):
            return _run(_build(part), channels_of(part), "cpu")


def _build(part: dict) -> BaseModel:
    return MODELS.build(ConfigDict(without_weights(part))).eval()


def _run(model: BaseModel, in_channels: int, device: str) -> Watched:
    side = IMAGE_SIZE if device == "meta" else IMAGE_SIZE // 2
    given: list[Tensor] = []
    of_backbone = _Reads(given)
    model.backbone.register_forward_hook(lambda module, inputs, maps: given.extend(_listed(maps)))
    with torch.device(device):
        with of_backbone:
            maps = _listed(model.extract_feat(torch.zeros(1, in_channels, side, side)))
        of_backbone.note(maps)  # some are handed on as they are
        seen = Watched(
            [nominal_stride(side, one.shape[-1]) if one.ndim == 4 else 0 for one in maps],
            [i for i in range(len(given)) if i not in of_backbone.places],
        )
        before = None
        for name, head in _heads(model):
            reads = _Reads(maps)
            chosen: tuple[Tensor, ...] = ()
            try:
                with reads:
                    if hasattr(head, "_transform_inputs"):  # a decode head of mmseg
                        chosen = _listed(head._transform_inputs(maps))
                        seen.misfits[name] = _misfit(head.in_channels, chosen)
                    before = _call(head, maps, before, side)
            except Exception as error:  # a head of the zoo, run on what it may not be made for
                if device == "meta" and _wants_memory(error):
                    raise
                seen.failures[name] = f"{type(error).__name__}: {error}"
                reads.note(chosen)
            if reads.places:
                seen.reads[name] = sorted(reads.places)
    return seen


def _wants_memory(error: Exception) -> bool:
    """Whether an operator refuses tensors that have a shape alone."""
    words = ("must be a CPU tensor", "meta", "Meta", "data pointer", "not implemented for")
    return isinstance(error, (NotImplementedError, RuntimeError)) and any(
        word in str(error) for word in words
    )


def _listed(maps: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    return (maps,) if isinstance(maps, Tensor) else tuple(maps)


def _heads(model: BaseModel) -> Iterator[tuple[str, Any]]:
    """What may read the maps: the model's parts after the neck, those of a RoI head one by one."""
    if hasattr(model, "pre_transformer"):
        yield "pre_transformer", lambda maps, samples: model.pre_transformer(maps, samples)
    for name, child in model.named_children():
        if name not in _NOT_HEADS:
            yield from _parts(name, child)


def _parts(name: str, module: nn.Module) -> Iterator[tuple[str, Any]]:
    if name != "roi_head" and not isinstance(module, nn.ModuleList):
        if type(module).forward is not nn.Module.forward:  # it has one of its own
            yield name, module
        return
    for inner, child in module.named_children():
        yield from _parts(f"{name}.{inner}", child)


def _misfit(declared: Any, maps: Sequence[Tensor]) -> str:
    """What is wrong with the channels that a head declares; of maps it may read the last alone."""
    wanted = list(declared) if isinstance(declared, Sequence) else [declared]
    found = [features.shape[1] for features in maps]
    both = min(len(wanted), len(found))
    fits = wanted[-both:] == found[-both:]
    return "" if fits else f"channels {wanted} declared, {found} read"


def _call(head: Any, maps: tuple[Tensor, ...], before: Any, side: int) -> Any:
    """Call a head with the maps and, where it wants more, what the head before it gave or a sample.

    A RoI extractor looks its map up by the size of a box: it is asked for all of them.
    """
    if hasattr(head, "roi_layers"):
        for features in maps[: len(head.roi_layers)]:
            if features.shape[1] != head.out_channels:
                raise ValueError(f"{head.out_channels} channels declared, {features.shape[1]} read")
            features.add(0)
        return before
    wanted = inspect.signature(getattr(head, "forward", head)).parameters.values()
    required = [p for p in wanted if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    if len(required) < 2:
        return head(maps)
    size = (side, side)
    sample = dict(img_shape=size, ori_shape=size, pad_shape=size, batch_input_shape=size)
    return head(maps, [BaseDataElement(metainfo=sample)] if before is None else before)


class _Reads(TorchFunctionMode):
    """Notes which maps something is made of: convolutions, sums, resized copies of them."""

    def __init__(self, maps: Sequence[Tensor]):
        super().__init__()
        self.maps = maps
        self.places: set[int] = set()

    def __torch_function__(
        self, func: Callable, types: Any, args: Sequence = (), kwargs: Mapping | None = None
    ) -> Any:
        given = [*args, *(kwargs or {}).values()]
        try:
            made = func(*args, **(kwargs or {}))
        except Exception:  # it was given the maps all the same
            self.note(given)
            raise
        if any(isinstance(one, Tensor) for one in tree_leaves(made)):
            self.note(tree_leaves(given))
        return made

    def note(self, given: Sequence) -> None:
        """Note those of some objects that are maps."""
        self.places.update(
            i for i, features in enumerate(self.maps) if any(features is one for one in given)
        )
