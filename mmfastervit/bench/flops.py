"""Operations and parameters of a whole detector or segmentor in inference, part by part."""

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmfastervit.config.building import without_weights
from mmfastervit.config.tree import rebuild
from mmfastervit.models.channels import channels_in
from mmfastervit.trial.steps import generated_run, without_process_group

from .measure import operations_by_module

SCOPES = ("mmdet", "mmseg")
_HEADS = ("bbox_head", "mask_head")


@dataclass(frozen=True)
class Cost:
    """What a model costs for a batch of images.

    Attributes:
        gflops: Operations in 10**9 by module, the model itself under ''; a multiply-add is two.
        parameters: Their number by module, the model itself under ''.
        images: Shape of what the backbone was given, padding included (B, C, H, W).
        seen: Regions that each head of a second stage was given, by module.
        calls: How often the backbone was called: several times where windows slide.
    """

    gflops: dict[str, float]
    parameters: dict[str, int]
    images: tuple[int, ...]
    seen: dict[str, int]
    calls: int


@torch.no_grad()
def cost_of(cfg: Config, shape: tuple[int, int], batch: int = 1) -> Cost:
    """Count what a config's model computes for images of one size.

    Weights are drawn, and no checkpoint is loaded. A detector runs without what follows its heads;
    its second stage is given what the first proposes, of which masks are found for 100, as mmdet
    has it. A segmentor predicts, over sliding windows where its ``test_cfg`` says so.

    Args:
        cfg: Of a detector or segmentor.
        shape: Height and width of the images once they are resized, in pixels.
        batch: Images.

    Raises:
        ValueError: It is a config of another package, or has no backbone.
    """
    scope = cfg.get("default_scope")
    if scope not in SCOPES:
        raise ValueError(f"this config is of {scope!r}; the count is for {' and '.join(SCOPES)}")
    with generated_run(scope):
        model = _build(cfg)
        if not hasattr(model, "backbone"):
            raise ValueError(f"there is no backbone in a {type(model).__name__}")
        data = _batch(model, scope, shape, batch)
        call = partial(model, **data, mode="tensor" if scope == "mmdet" else "predict")
        with _called_as_modules(model), _watched(model) as (seen, given, deformable):
            gflops = operations_by_module(call, model)
    for name, operations in deformable.items():
        gflops[name] = gflops.get(name, 0.0) + operations / 1e9
    return Cost(gflops, _parameters(model), given[0], dict(seen), len(given))


def _build(cfg: Config) -> BaseModel:
    """The model with drawn weights, in eval mode, for one process."""
    tree = cfg.to_dict()
    part = rebuild(without_weights(tree["model"]), without_process_group)
    if "data_preprocessor" not in part:
        part["data_preprocessor"] = copy.deepcopy(tree.get("data_preprocessor"))
    return revert_sync_batchnorm(MODELS.build(ConfigDict(part))).eval()


def _batch(model: BaseModel, scope: str, shape: tuple[int, int], batch: int) -> dict[str, Any]:
    """Images as the data loader gives them, through the model's own preprocessing."""
    channels = channels_in(model.backbone)
    images = [torch.randint(0, 256, (channels, *shape), dtype=torch.uint8) for _ in range(batch)]
    samples = [_sample(scope, shape) for _ in range(batch)]
    return model.data_preprocessor(dict(inputs=images, data_samples=samples), False)


def _sample(scope: str, shape: tuple[int, int]) -> BaseDataElement:
    if scope == "mmdet":
        from mmdet.structures import DetDataSample as Sample
    else:
        from mmseg.structures import SegDataSample as Sample
    meta = dict(img_shape=shape, ori_shape=shape, pad_shape=shape, scale_factor=(1.0, 1.0))
    return Sample(metainfo=dict(meta, img_id=0, img_path="drawn", flip=False, flip_direction=None))


@contextmanager
def _called_as_modules(model: nn.Module) -> Iterator[None]:
    """Let torch see the parts of a model also where only their ``forward`` is called.

    Detectors call that of their heads, and what a head computes itself would be counted for none.
    """
    parts = dict(model.named_children())
    entered = dict.fromkeys(parts, False)

    def enter(name: str, *_: Any) -> None:
        entered[name] = True

    def leave(name: str, *_: Any) -> None:
        entered[name] = False

    def called(name: str, forward: Callable, *args: Any, **kwargs: Any) -> Any:
        return (forward if entered[name] else parts[name])(*args, **kwargs)

    hooks = []
    for name, part in parts.items():
        hooks.append(part.register_forward_pre_hook(partial(enter, name)))
        hooks.append(part.register_forward_hook(partial(leave, name), always_call=True))
        part.forward = partial(called, name, part.forward)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for part in parts.values():
            del part.forward


@contextmanager
def _watched(
    model: nn.Module,
) -> Iterator[tuple[dict[str, int], list[tuple[int, ...]], Counter[str]]]:
    """Note what parts of a model are given while it runs.

    Yields:
        Regions by head of a second stage; shapes of what the backbone was given; operations of
        deformable convolutions, which torch does not count, by module and all that hold it.
    """
    seen: dict[str, int] = {}
    given: list[tuple[int, ...]] = []
    deformable: Counter[str] = Counter()

    def note_regions(name: str, _: nn.Module, inputs: tuple) -> None:
        if inputs and isinstance(inputs[0], Tensor):
            seen[name] = len(inputs[0])

    def note_convolution(name: str, module: nn.Module, _: tuple, output: Tensor) -> None:
        weight: Any = module.weight
        count = 2 * output.numel() * weight[0].numel()
        parts = name.split(".")
        for end in range(len(parts) + 1):
            deformable[".".join(parts[:end])] += count

    backbone: Any = model.backbone
    hooks = [backbone.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0].shape))]
    for name, module in model.named_modules():
        if "DeformConv2d" in type(module).__name__:
            hooks.append(module.register_forward_hook(partial(note_convolution, name)))
        elif name.startswith("roi_head.") and _is_head(name):
            hooks.append(module.register_forward_pre_hook(partial(note_regions, name)))
    try:
        yield seen, given, deformable
    finally:
        for hook in hooks:
            hook.remove()


def _is_head(name: str) -> bool:
    """Whether it is a head of a second stage, or one of several: ``roi_head.bbox_head.0``."""
    return name.removeprefix("roi_head.").rstrip("0123456789").rstrip(".") in _HEADS


def _parameters(model: nn.Module) -> dict[str, int]:
    """Numbers of parameters by module; of one that several share, in each."""
    numbers = {name: sum(p.numel() for p in m.parameters()) for name, m in model.named_modules()}
    return {name: number for name, number in numbers.items() if number}
