"""Backbones that HAT can be put into: where their stages are, and how their windows attend.

A new kind of backbone is made known by :func:`register_host`; nothing else has to change.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor, nn

from mmfastervit.models.layers.attention import attend, attention_weights
from mmfastervit.models.layers.windows import Windows

LAYOUTS = ("NCHW", "NHWC", "tokens")


@dataclass(frozen=True)
class Stage:
    """The blocks of one stage of a backbone, up to its downsampling and output norm.

    Args:
        path: Name of ``blocks`` inside the backbone.
        blocks: The container that the stage runs through, one block after the other.
        channels: Channels of the maps between the blocks.
        layout: Of those maps: 'NCHW', 'NHWC', or 'tokens' for (B, H*W, C) with (H, W) as the
            second argument of each block.
    """

    path: str
    blocks: nn.ModuleList | nn.Sequential
    channels: int
    layout: str

    def __post_init__(self):
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout must be one of {LAYOUTS}, not {self.layout!r}")

    @property
    def with_cp(self) -> bool:
        """Whether the stage recomputes its blocks in the backward pass."""
        return any(getattr(block, "with_cp", False) for block in self.blocks)


class HostWindow(ABC):
    """A block of a host, seen as the layer that attends inside a HAT block's windows.

    It is no module: what it reads stays where the host keeps it. Subclasses say where that is; the
    attention must have ``qkv``, ``proj``, ``scale``, ``window_size`` and a table of relative
    position biases like Swin's.

    Args:
        block: The host's block.
    """

    position = None

    def __init__(self, block: Any):
        self.block = block

    @property
    @abstractmethod
    def attention(self) -> Any:
        """The block's window attention."""

    @abstractmethod
    def __call__(self, x: Tensor, bias: Tensor, windows: Windows) -> Tensor:
        """Run the block's two residual branches on tokens (B, T, C)."""

    def attend(self, x: Tensor, bias: Tensor, windows: Windows) -> Tensor:
        """Attend inside windows of tokens (B, T, C) by the host's weights."""
        attention = self.attention
        dropout = attention.attn_drop.p if attention.training else 0.0
        attended = attend(attention.qkv(x), bias, windows, attention.scale, dropout)
        return attention.proj_drop(attention.proj(attended))

    def attention_weights(self, x: Tensor, bias: Tensor, windows: Windows) -> Tensor:
        """How much tokens (B, T, C) listen to each other: see the function of this name."""
        attention = self.attention
        return attention_weights(attention.qkv(self.block.norm1(x)), bias, windows, attention.scale)

    def relative_bias(self, height: int, width: int, window: int) -> Tensor:
        """The host's bias (num_heads, L, L) between the L pixels of a window."""
        table = self.attention.relative_position_bias_table
        rows = F.embedding(self.attention.relative_position_index, table)  # (L, L, num_heads)
        return rows.permute(2, 0, 1)

    def position_weights(self) -> list[nn.Parameter]:
        """The table that :meth:`relative_bias` reads."""
        return [self.attention.relative_position_bias_table]


class MMSwinWindow(HostWindow):
    """A Swin block of mmdet, mmseg or mmpretrain."""

    @property
    def attention(self) -> Any:
        return self.block.attn.w_msa

    def __call__(self, x: Tensor, bias: Tensor, windows: Windows) -> Tensor:
        block = self.block
        x = x + block.attn.drop(self.attend(block.norm1(x), bias, windows))
        return block.ffn(block.norm2(x), identity=x)


class TimmSwinWindow(HostWindow):
    """A Swin block of timm."""

    @property
    def attention(self) -> Any:
        return self.block.attn

    def __call__(self, x: Tensor, bias: Tensor, windows: Windows) -> Tensor:
        block = self.block
        x = x + block.drop_path1(self.attend(block.norm1(x), bias, windows))
        return x + block.drop_path2(block.mlp(block.norm2(x)))


@dataclass(frozen=True)
class Host:
    """A kind of backbone that HAT can be put into.

    Args:
        name: What to call it in messages.
        classes: Its classes, subclasses included; as 'package.module.Class' where the package
            should not be imported for this.
        stages: Lists the stages of a backbone of these classes, none if it is not of this kind.
        window: Sees a block as a :class:`HostWindow`; None where blocks have no window attention,
            which rules out ``mode='replace'``.
    """

    name: str
    classes: tuple[type | str, ...]
    stages: Callable[[nn.Module], list[Stage]]
    window: Callable[[nn.Module], HostWindow] | None = None


def as_map(x: Tensor, hw_shape: Sequence[int] | None) -> Tensor:
    """View (B, H, W, C), or (B, H*W, C) where (H, W) are given, as (B, C, H, W)."""
    if hw_shape is None:
        return x.permute(0, 3, 1, 2)
    return x.transpose(1, 2).unflatten(2, tuple(hw_shape))


def make_alike(module: nn.Module, stage: Stage) -> None:
    """Give a new module the device, precision, mode and freezing of its stage."""
    weights = list(stage.blocks.parameters())
    module.to(weights[0].device, weights[0].dtype).train(stage.blocks.training)
    if not any(weight.requires_grad for weight in weights):
        module.requires_grad_(False)
        print_log(
            f"{stage.path} is frozen, so the HAT in it is as well and will not be trained",
            logger="current",
            level=logging.WARNING,
        )


def is_of(module: nn.Module, *classes: type | str) -> bool:
    """Whether a module is of one of the classes, which may go by 'package.module.Class'."""
    own = type(module).__mro__
    names = (f"{cls.__module__}.{cls.__qualname__}" for cls in own)
    return not {*own, *names}.isdisjoint(classes)


def mm_swin_stages(backbone: Any) -> list[Stage]:
    """Stages of the Swin Transformers of mmdet, mmseg and mmpretrain."""
    return [
        Stage(f"stages.{i}.blocks", stage.blocks, norm_channels(stage.blocks[0]), "tokens")
        for i, stage in enumerate(backbone.stages)
    ]


def mm_convnext_stages(backbone: Any) -> list[Stage]:
    """Stages of mmpretrain's ConvNeXt."""
    return [
        Stage(f"stages.{i}", blocks, channels, "NCHW")
        for i, (blocks, channels) in enumerate(zip(backbone.stages, backbone.channels, strict=True))
    ]


def mm_resnet_stages(backbone: Any) -> list[Stage]:
    """Stages of the ResNets of mmdet, mmseg and mmpretrain, and of classes derived from them."""

    def channels(block: Any) -> int:
        return (block.conv3 if hasattr(block, "conv3") else block.conv2).out_channels

    layers = ((name, getattr(backbone, name)) for name in backbone.res_layers)
    return [Stage(name, layer, channels(layer[0]), "NCHW") for name, layer in layers]


def timm_swin_stages(backbone: nn.Module) -> list[Stage]:
    """Stages of timm's Swin Transformer, whole or ``features_only``, wrapped or not."""
    return [
        Stage(f"{name}.blocks", stage.blocks, norm_channels(stage.blocks[0]), "NHWC")
        for name, stage in modules_of("timm.models.swin_transformer.SwinTransformerStage", backbone)
    ]


def timm_convnext_stages(backbone: nn.Module) -> list[Stage]:
    """Stages of timm's ConvNeXt, whole or ``features_only``, wrapped or not."""
    return [
        Stage(f"{name}.blocks", stage.blocks, stage.blocks[0].conv_dw.out_channels, "NCHW")
        for name, stage in modules_of("timm.models.convnext.ConvNeXtStage", backbone)
    ]


def norm_channels(block: Any) -> int:
    """Channels of a transformer block, from its first norm."""
    return block.norm1.normalized_shape[0]


def modules_of(cls: str, root: nn.Module) -> list[tuple[str, Any]]:
    """Modules of a class inside ``root``, with their names, in order."""
    return [(name, module) for name, module in root.named_modules() if is_of(module, cls)]


_TIMM_WRAPPERS = (
    "timm.models._features.FeatureDictNet",
    "timm.models._features.FeatureHookNet",
    "timm.models._features.FeatureGetterNet",
    "mmseg.models.backbones.timm_backbone.TIMMBackbone",
    "mmpretrain.models.backbones.timm_backbone.TIMMBackbone",
)
HOSTS = [
    Host(
        "SwinTransformer of mmdet, mmseg and mmpretrain",
        (
            "mmdet.models.backbones.swin.SwinTransformer",
            "mmseg.models.backbones.swin.SwinTransformer",
            "mmpretrain.models.backbones.swin_transformer.SwinTransformer",
        ),
        mm_swin_stages,
        MMSwinWindow,
    ),
    Host(
        "ConvNeXt of mmpretrain",
        ("mmpretrain.models.backbones.convnext.ConvNeXt",),
        mm_convnext_stages,
    ),
    Host(
        "ResNet and its kin of mmdet, mmseg and mmpretrain",
        (
            "mmdet.models.backbones.resnet.ResNet",
            "mmseg.models.backbones.resnet.ResNet",
            "mmpretrain.models.backbones.resnet.ResNet",
        ),
        mm_resnet_stages,
    ),
    Host(
        "SwinTransformer of timm",
        ("timm.models.swin_transformer.SwinTransformer", *_TIMM_WRAPPERS),
        timm_swin_stages,
        TimmSwinWindow,
    ),
    Host(
        "ConvNeXt of timm", ("timm.models.convnext.ConvNeXt", *_TIMM_WRAPPERS), timm_convnext_stages
    ),
]


def register_host(host: Host) -> None:
    """Make a kind of backbone known; it is asked before those already known.

    Example, for a network with stages ``body.0``, ``body.1``, ... each an ``nn.Sequential``::

        from mmfastervit.models.plugins import Host, Stage, register_host

        def stages(net):
            return [
                Stage(f"body.{i}", blocks, blocks[-1].out_channels, "NCHW")
                for i, blocks in enumerate(net.body)
            ]

        register_host(Host("MyNet", (MyNet,), stages))
    """
    HOSTS.insert(0, host)
