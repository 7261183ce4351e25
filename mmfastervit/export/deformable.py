"""Deformable convolutions in operators that torch's exporter knows.

mmcv has them in C++, of which the exporter can't see the sizes. A deformable convolution (arXiv
1703.06211; with a weight for each sample, 1811.11168) is bilinear sampling, which ONNX has as
GridSample, and a product with the kernel.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
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
    _, channels, height, width = images.shape
    rows, columns = offsets.shape[2:]
    down, across = kernel.shape[2:]
    cells, width_of_group = down * across, channels // offset_groups
    layout = zip(*map(_pair, (stride, padding, dilation)), strict=True)
    y, x = (
        _places(cells_of_side, places, pixels, *one)
        for cells_of_side, places, pixels, one in zip(
            (down, across), (rows, columns), (height, width), layout, strict=True
        )
    )
    # Batches are -1 throughout: written as numbers, each size of theirs is a dozen nodes of a file
    moved = offsets.reshape(-1, down, across, 2, rows, columns)
    grid = torch.stack(
        [
            moved[:, :, :, 1] * (2 / width) + x[:, None, :],
            moved[:, :, :, 0] * (2 / height) + y[:, None, :, None],
        ],
        -1,
    )
    samples = F.grid_sample(
        images.reshape(-1, width_of_group, height, width),
        grid.reshape(-1, cells * rows, columns, 2),
        align_corners=False,
    ).reshape(-1, offset_groups, width_of_group, cells, rows * columns)
    if shares is not None:
        samples = samples * shares.reshape(-1, offset_groups, 1, cells, rows * columns)
    samples = samples.reshape(-1, groups, channels // groups * cells, rows * columns)
    products = kernel.reshape(groups, kernel.shape[0] // groups, -1) @ samples
    return products.reshape(-1, kernel.shape[0], rows, columns)


def _places(
    cells: int, count: int, pixels: int, stride: int, padding: int, dilation: int
) -> Tensor:
    """(cells, count): where each cell of a side looks at each place.

    From -1 at the first side of an image of so many pixels to 1 at the last, as grid_sample counts.
    What is known while a file is written stands in it as numbers.
    """
    known = isinstance(count, int) and isinstance(pixels, int)
    arange: Any = np.arange if known else torch.arange
    places = arange(count) * stride + arange(cells)[:, None] * dilation - padding
    return torch.as_tensor((2 * places + 1) / pixels - 1).float()


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
    """In the place of mmcv's, which reads offsets and shares of a larger map row by row.

    So it computes DyHead, which has those of a finer map than the one it convolves: their values,
    in order, fill the smaller map, and the rest is left.
    """
    layout = zip(*map(_pair, options[:3]), strict=True)
    size = [
        (pixels + 2 * padding - dilation * (cells - 1) - 1) // stride + 1
        for pixels, cells, (stride, padding, dilation) in zip(
            images.shape[2:], kernel.shape[2:], layout, strict=True
        )
    ]
    if list(offsets.shape[2:]) != size:
        offsets, shares = (
            one.flatten(1)[:, : one.shape[1] * size[0] * size[1]].reshape(-1, one.shape[1], *size)
            for one in (offsets, shares)
        )
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
