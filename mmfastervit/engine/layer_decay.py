"""Layer-wise learning rates, in any model with a FasterViT or another layered backbone inside."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any

from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from mmfastervit.logs import warnings_only
from mmfastervit.models.plugins.hosts import Stage
from mmfastervit.models.plugins.insertion import locate_host
from mmfastervit.registry import OPTIM_WRAPPER_CONSTRUCTORS

Depths = dict[int, tuple[int, int]]  # by a parameter's id: its layer, and the number of layers


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Gives each layer of the backbone a learning rate of its own, the first the smallest.

    In a config of mmdet, mmseg or mmpretrain::

        optim_wrapper = dict(
            constructor="mmfastervit.LayerDecayOptimWrapperConstructor",
            paramwise_cfg=dict(layer_decay_rate=0.9, norm_decay_mult=0.0),
        )

    A parameter ``k`` layers before the last has ``layer_decay_rate ** k`` of the rate. What is not
    the backbone's is in the last layer. All other settings of ``paramwise_cfg`` mean what they mean
    to mmengine's own constructor, ``custom_keys`` and the exclusions from weight decay among them;
    a rate that they give is multiplied. Parameters of one rate and one weight decay are one group.

    A backbone says where its parameters are by ``get_layer_depth``, as mmpretrain's do; that of a
    host of HAT without it is known from its stages.

    Raises:
        ValueError: ``layer_decay_rate`` is missing or not in (0, 1], the optimizer has no ``lr``,
            or a backbone neither has ``get_layer_depth`` nor is a known host.
    """

    def _validate_cfg(self) -> None:
        super()._validate_cfg()
        self.rate = self.paramwise_cfg.get("layer_decay_rate")
        if not isinstance(self.rate, (int, float)) or not 0 < self.rate <= 1:
            raise ValueError(
                "paramwise_cfg.layer_decay_rate must be a number above 0 and at most 1, such as "
                f"0.9, not {self.rate!r}"
            )
        if self.base_lr is None:
            raise ValueError("layer-wise rates need optim_wrapper.optimizer.lr, which is not set")

    def add_params(
        self,
        params: list[dict],
        module: nn.Module,
        prefix: str = "",
        is_dcn_module: int | float | None = None,
    ) -> None:
        """Append the groups of a model; called by mmengine with the whole one."""
        with warnings_only():
            super().add_params(params, module, prefix, is_dcn_module)
        if prefix:
            return  # a part of the model: mmengine goes through them by this method
        depths = layer_depths(module)
        single = {id(group["params"][0]): group for group in reversed(params)}
        merged: dict[tuple, dict] = {}
        for number, group in reversed(single.items()):
            layer, layers = depths[number]
            scale = self.rate ** (layers - 1 - layer)
            group |= dict(lr=group.get("lr", self.base_lr) * scale, lr_scale=scale)
            key = tuple(sorted((k, repr(v)) for k, v in group.items() if k != "params"))
            merged.setdefault(key, {**group, "params": []})["params"] += group["params"]
        params[:] = sorted(merged.values(), key=lambda group: group["lr_scale"])
        rows = [
            f"  lr {group['lr']:.3g}, weight decay "
            f"{group.get('weight_decay', self.base_wd or 0):.3g}: {len(group['params'])} parameters"
            for group in params
        ]
        print_log("\n".join(["learning rates by layer:", *rows]), logger="current")


def layer_depths(model: nn.Module) -> Depths:
    """Tell how deep each parameter of a model is: its layer, and the number of layers.

    Raises:
        ValueError: The model has no ``backbone``, or one of which nothing is known.
    """
    depths: Depths = {}
    for path, backbone in _backbones(model):
        depth_of = _depth_of(backbone, path)
        for name, parameter in backbone.named_parameters():
            depths[id(parameter)] = depth_of(name)
    if not depths:
        raise ValueError(f"layer-wise rates need a backbone; this {type(model).__name__} has none")
    layers = max(layers for _, layers in depths.values())
    for parameter in model.parameters():
        depths.setdefault(id(parameter), (layers - 1, layers))
    return depths


def _backbones(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The parts called ``backbone``, at any depth, but for those inside other ones."""
    found: list[str] = []
    for path, module in model.named_modules():
        is_inside = any(path.startswith(f"{outer}.") for outer in found)
        if path.rpartition(".")[2] == "backbone" and not is_inside:
            found.append(path)
            yield path, module


def _depth_of(backbone: nn.Module, path: str) -> Callable[[str], tuple[int, int]]:
    """From a parameter's name to its layer and the number of layers."""
    own: Any = getattr(backbone, "get_layer_depth", None)
    with suppress(NotImplementedError):  # mmpretrain's ResNet has it for some depths alone
        if own and own(next(name for name, _ in backbone.named_parameters()), ""):
            return lambda name: own(name, "")
    try:
        prefix, _, _, stages = locate_host(backbone)
    except ValueError as error:
        raise ValueError(
            f"nothing is known of the layers of {path}, a {type(backbone).__name__}: it has no "
            "get_layer_depth and is no host of HAT, see mmfastervit.register_host"
        ) from error
    starts = list(accumulate((len(stage.blocks) for stage in stages), initial=0))
    depths: dict[str, tuple[int, int]] = {}
    layer = 0
    for name, _ in backbone.named_parameters():
        layer = _layer_in(name.removeprefix(prefix), stages, starts, layer)
        depths[name] = (layer, starts[-1] + 2)
    return depths.__getitem__


def _layer_in(name: str, stages: Sequence[Stage], starts: Sequence[int], before: int) -> int:
    """The layer of a host's parameter; ``before`` is that of the parameter that stands before it.

    The stem is layer 0, a block one deeper than that before it; a downsampling goes with the last
    block of the stage that it leaves, and what stands after the stages is the last layer.
    """
    for start, stage in zip(starts, stages, strict=False):
        container, _, leaf = stage.path.rpartition(".")
        rest = name.removeprefix(f"{stage.path}.")
        if rest != name:
            return start + int(rest.partition(".")[0]) + 1
        if leaf == "blocks" and name.startswith(f"{container}."):  # before or after the blocks
            return before
    if name.startswith("downsample_layers."):  # ConvNeXt's, which all stand before its stages
        return starts[int(name.split(".")[1])]
    return starts[-1] + 1 if before else 0
