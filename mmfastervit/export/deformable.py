"""Deformable convolutions in operators that torch's exporter knows.

mmcv has them in C++, of which the exporter can't see the sizes. A deformable convolution (arXiv
1703.06211; with a weight for each sample, 1811.11168) is bilinear sampling, which ONNX has as
GridSample, and a product with the kernel.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.modules.utils import _pair

Pair = int | tuple[int, int]


def deformable_convolution(
    images: Tensor,
    offsets: Tensor,
    kernel: Tensor,
    shares: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    offset_groups: int = 1,
) -> Tensor:
    """Convolve images at places that are moved; beyond an image there are zeros.

    Args:
        images: (B, C, H, W).
        offsets: (B, offset_groups * cells * 2, h, w): how far, in pixels, down and to the right,
            each cell of the kernel looks from its place; h and w are those of the result.
        kernel: (O, C / groups, cells down, cells across).
        shares: (B, offset_groups * cells, h, w): what each sample is multiplied by; None is 1.
        stride: Of the result, as padding and dilation, down and across.
        padding: Pixels at each side.
        dilation: From cell to cell, in pixels.
        groups: Groups of channels that are convolved apart.
        offset_groups: Groups of channels with offsets of their own.

    Returns:
        (B, O, h, w).
    """
    batch, channels, height, width = images.shape
    rows, columns = offsets.shape[2:]
    down, across = kernel.shape[2:]
    cells = down * across
    (step_y, step_x), (pad_y, pad_x), (apart_y, apart_x) = map(_pair, (stride, padding, dilation))
    y = torch.arange(rows) * step_y - pad_y + _cells(down, apart_y).repeat_interleave(across, 0)
    x = torch.arange(columns) * step_x - pad_x + _cells(across, apart_x).repeat(down, 1)
    moved = offsets.reshape(batch * offset_groups, cells, 2, rows, columns)
    grid = torch.stack(
        [
            (2 * (x[:, None] + moved[:, :, 1]) + 1) / width - 1,
            (2 * (y[:, :, None] + moved[:, :, 0]) + 1) / height - 1,
        ],
        -1,
    )  # of -1 at the left and upper side to 1 at the others, as grid_sample counts
    samples = F.grid_sample(
        images.reshape(batch * offset_groups, -1, height, width),
        grid.reshape(batch * offset_groups, cells * rows, columns, 2),
        align_corners=False,
    ).reshape(batch, offset_groups, channels // offset_groups, cells, rows * columns)
    if shares is not None:
        samples = samples * shares.reshape(batch, offset_groups, 1, cells, rows * columns)
    samples = samples.reshape(batch, groups, channels // groups * cells, rows * columns)
    products = kernel.reshape(groups, kernel.shape[0] // groups, -1) @ samples
    return products.reshape(batch, kernel.shape[0], rows, columns)


def _cells(count: int, apart: int) -> Tensor:
    """(count, 1): where the cells of a kernel are."""
    return (torch.arange(count) * apart)[:, None]


def _plain(_: Any, images: Tensor, offsets: Tensor, kernel: Tensor, *options: Any) -> Tensor:
    """In the place of mmcv's, which takes a flag for a bias, never set, and a size of chunks."""
    return deformable_convolution(images, offsets, kernel, None, *options[:5])


def _modulated(
    _: Any,
    images: Tensor,
    offsets: Tensor,
    shares: Tensor,
    kernel: Tensor,
    bias: Tensor | None = None,
    *options: Any,
) -> Tensor:
    """In the place of mmcv's."""
    convolved = deformable_convolution(images, offsets, kernel, shares, *options)
    return convolved if bias is None else convolved + bias[:, None, None]


_REPLACED = (
    ("mmcv.ops.deform_conv", "DeformConv2dFunction", _plain),
    ("mmcv.ops.modulated_deform_conv", "ModulatedDeformConv2dFunction", _modulated),
)


@contextmanager
def convolutions_sampled() -> Iterator[None]:
    """While it lasts, mmcv's deformable convolutions are computed as here."""
    found = [
        (getattr(sys.modules[module], name), ours)
        for module, name, ours in _REPLACED
        if module in sys.modules  # else no model has one
    ]
    theirs = [function.forward for function, _ in found]
    try:
        for function, ours in found:
            function.forward = staticmethod(ours)
        yield
    finally:
        for (function, _), one in zip(found, theirs, strict=True):
            function.forward = staticmethod(one)
