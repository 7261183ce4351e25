"""Convolutional parts of FasterViT: stem, residual block, downsampling."""

from collections.abc import Sequence

import torch
from timm.layers import DropPath, LayerNorm2d
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from . import graph
from .mlp import GELU, add
from .recomputation import run_block

STEM_NORM_EPS = 1e-4
SYNCHRONISED_NORMS = ("SyncBN", "MMSyncBN", "SyncBatchNorm")  # as configs call them
NORM_TYPES = {"BN": nn.BatchNorm2d, "BN2d": nn.BatchNorm2d, "SyncBN": nn.SyncBatchNorm}
NORM_OPTIONS = ("eps", "momentum", "affine", "track_running_stats")


def check_norm_cfg(norm_cfg: dict) -> None:
    """Raise ValueError or TypeError unless :func:`build_norm` takes ``norm_cfg``."""
    if not isinstance(norm_cfg, dict):
        raise TypeError(f"norm_cfg must be a dict such as dict(type='BN'), not {norm_cfg!r}")
    accepted = ("type", "requires_grad", *NORM_OPTIONS)
    unknown = sorted(set(norm_cfg) - set(accepted))
    if norm_cfg.get("type") not in NORM_TYPES or unknown:
        raise ValueError(
            f"norm_cfg={norm_cfg!r} is not understood: type must be one of {tuple(NORM_TYPES)}, "
            f"the other keys among {accepted[1:]}"
        )


def build_norm(norm_cfg: dict, channels: int, eps: float = 1e-5) -> nn.Module:
    """Build the batch normalisation that ``norm_cfg`` describes.

    Args:
        norm_cfg: ``type`` ('BN' or 'SyncBN'), ``requires_grad`` and PyTorch's own options.
        channels: Channels of the map.
        eps: Used unless ``norm_cfg`` gives one.
    """
    options = {key: value for key, value in norm_cfg.items() if key in NORM_OPTIONS}
    norm = NORM_TYPES[norm_cfg["type"]](channels, **{"eps": eps, **options})
    return norm.requires_grad_(norm_cfg.get("requires_grad", True))


def lay_out(x: Tensor, reader: nn.Module) -> Tensor:
    """Bring a map into the memory format in which the convolutions of ``reader`` run fastest.

    That is channels last, which norms over channels and attention read as well. On a CPU, though,
    the backward pass of oneDNN takes up to twice as long on it as on plain maps.
    """
    learns = x.requires_grad or any(p.requires_grad for p in reader.parameters())
    goes_back_on_cpu = x.device.type == "cpu" and graph.has_backward() and learns
    plain, last = torch.contiguous_format, torch.channels_last
    return x.contiguous(memory_format=plain if goes_back_on_cpu else last)


class TwoConvs(nn.Module):
    """Convolutions ``conv1`` and ``conv2``, normalised by ``norm1`` and ``norm2``."""

    deployed = False  # whether the norms are folded, see deploy()

    def fold(self) -> None:
        """Fold the norms into the convolutions.

        One that keeps no running statistics depends on the batch and stays.
        """
        for i in (1, 2):
            conv, norm = getattr(self, f"conv{i}"), getattr(self, f"norm{i}")
            if isinstance(norm, _BatchNorm) and norm.running_mean is not None:
                setattr(self, f"conv{i}", fuse_conv_bn_eval(conv, norm))
                setattr(self, f"norm{i}", nn.Identity())


class Stem(TwoConvs):
    """Two stride-2 convolutions, image to the first stage: (B, in, H, W) to (B, dim, H/4, W/4).

    Args:
        in_channels: Channels of the image.
        hidden_channels: Channels between the two convolutions.
        out_channels: Channels of the first stage.
        norm_cfg: See :func:`build_norm`.
        with_cp: Recompute what the second convolution reads in the backward pass. The maps here are
            the largest of all: this is for a stem that is itself recomputed, see :func:`run_block`.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        norm_cfg: dict,
        with_cp: bool = False,
    ):
        super().__init__()
        self.with_cp = with_cp
        self.conv1 = nn.Conv2d(in_channels, hidden_channels, 3, stride=2, padding=1, bias=False)
        self.norm1 = build_norm(norm_cfg, hidden_channels, STEM_NORM_EPS)
        self.act1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(hidden_channels, out_channels, 3, stride=2, padding=1, bias=False)
        self.norm2 = build_norm(norm_cfg, out_channels, STEM_NORM_EPS)
        self.act2 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = run_block(self, x, with_cp=self.with_cp, part=self._halve)
        return self.act2(self.norm2(self.conv2(x)))

    def _halve(self, x: Tensor) -> Tensor:
        return self.act1(self.norm1(self.conv1(x)))


class ConvBlock(TwoConvs):
    """Residual block of two 3x3 convolutions.

    Args:
        channels: Channels in and out.
        drop_path: Probability that an image skips the residual branch in training.
        norm_cfg: See :func:`build_norm`.
    """

    def __init__(self, channels: int, drop_path: float, norm_cfg: dict):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = build_norm(norm_cfg, channels)
        self.act = GELU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = build_norm(norm_cfg, channels)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        branch = self.act(self.norm1(self.conv1(x)))
        branch = self.drop_path(self.norm2(self.conv2(branch)))
        return add(x, branch, in_place=self.deployed)


class ConvStage(nn.Module):
    """Residual convolution blocks.

    Args:
        channels: Channels in and out.
        drop_path: One probability a block; as many blocks as probabilities.
        norm_cfg: See :func:`build_norm`.
        with_cp: Recompute each block in the backward pass instead of keeping its activations.
    """

    def __init__(
        self, channels: int, drop_path: Sequence[float], norm_cfg: dict, with_cp: bool = False
    ):
        super().__init__()
        self.with_cp = with_cp
        self.blocks = nn.ModuleList(ConvBlock(channels, rate, norm_cfg) for rate in drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        for block in self.blocks:
            x = run_block(block, x, with_cp=self.with_cp)
        return x


class Downsample(nn.Module):
    """Halves a map and doubles its channels: (B, C, H, W) to (B, 2*C, ceil(H/2), ceil(W/2)).

    Args:
        channels: Channels in.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.norm = LayerNorm2d(channels, eps=1e-6)
        self.conv = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(lay_out(self.norm(x), self))
