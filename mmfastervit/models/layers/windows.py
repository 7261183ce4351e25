"""Layout of windows and carrier tokens: pure functions, nothing learned.

Maps are (B, H, W, C). Windows are numbered in raster order, and so are the pixels inside each.
Carrier tokens are kept in **window order** everywhere (the carriers of one window stand together),
so that joining them to their window is a plain concatenation and no block has to route them.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.fx.experimental.symbolic_shapes import statically_known_true


@dataclass(frozen=True)
class WindowGrid:
    """The windows, and the carriers if any, that cover one map. Hashable: the key of cached tables.

    Args:
        height: Rows of the map, in pixels.
        width: Columns of the map, in pixels.
        window: Side of a window, in pixels.
        carrier_size: Carriers along each side of a window; 0 where there are none.
    """

    height: int
    width: int
    window: int
    carrier_size: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Windows along each axis, (nh, nw), counting those partly outside the map."""
        return windows_along(self.height, self.window), windows_along(self.width, self.window)

    @property
    def carrier_shape(self) -> tuple[int, int]:
        """Carriers along each axis."""
        return self.shape[0] * self.carrier_size, self.shape[1] * self.carrier_size

    @property
    def is_padded(self) -> bool:
        """Whether some window reaches, or in a graph for any size may reach, beyond the map."""
        return not (is_whole(self.height, self.window) and is_whole(self.width, self.window))


def windows_along(length: int, window: int) -> int:
    """Windows that cover an axis of ``length`` pixels."""
    return (length + window - 1) // window


def is_whole(length: int, window: int) -> bool:
    """Whether an axis is made of whole windows.

    While a graph is traced for any size, only what holds for every size counts: a branch on the
    size at hand would bind the graph to it.
    """
    whole = length % window == 0
    return statically_known_true(whole) if torch.compiler.is_compiling() else whole


def has_several(length: int, window: int) -> bool:
    """Whether nothing has to be known of an axis' number of windows to cut it by views.

    While a graph is traced for any size, a view with one window along an axis is another graph
    than one with several, so the number must be certain to exceed one.
    """
    return not torch.compiler.is_compiling() or statically_known_true(length > window)


def partition(x: Tensor, window: int) -> Tensor:
    """Cut a map into windows, padding it with zeros at the bottom and right to whole windows.

    Args:
        x: (B, H, W, C).
        window: Side of a window, in pixels.

    Returns:
        (B, nh*nw, window*window, C) with nh = ceil(H / window), nw = ceil(W / window).
    """
    height, width = x.shape[1:3]
    if not (has_several(height, window) and has_several(width, window)):
        return gather_windows(x, window)
    if not (is_whole(height, window) and is_whole(width, window)):
        bottom = windows_along(height, window) * window - height
        right = windows_along(width, window) * window - width
        x = F.pad(x, (0, 0, 0, right, 0, bottom))
    x = x.unflatten(2, (-1, window)).unflatten(1, (-1, window))  # (B, nh, w, nw, w, C)
    return compact(x.transpose(2, 3)).flatten(3, 4).flatten(1, 2)


def reverse(windows: Tensor, window: int, height: int, width: int) -> Tensor:
    """Put windows back into a map and crop the padding: the inverse of :func:`partition`.

    Args:
        windows: (B, nh*nw, window*window, C).
        window: Side of a window, in pixels.
        height: Rows of the map that was partitioned.
        width: Columns of the map that was partitioned.

    Returns:
        (B, height, width, C).
    """
    if not (has_several(height, window) and has_several(width, window)):
        return gather_pixels(windows, window, height, width)
    nh, nw = WindowGrid(height, width, window).shape
    x = windows.unflatten(2, (window, window)).unflatten(1, (nh, nw))  # (B, nh, nw, w, w, C)
    x = compact(x.transpose(2, 3)).flatten(3, 4).flatten(1, 2)  # (B, nh*w, nw*w, C)
    if is_whole(height, window) and is_whole(width, window):
        return x
    return compact(x[:, :height, :width])


def gather_windows(x: Tensor, window: int) -> Tensor:
    """Do what :func:`partition` does by looking up each token's pixel, alike for all sizes."""
    height, width = x.shape[1:3]
    nh, nw = windows_along(height, window), windows_along(width, window)
    place, inside = cell_places(torch.arange(nh * nw * window**2, device=x.device), window**2)
    (rows, columns), (row, column) = cell_places(place, nw), cell_places(inside, window)
    rows, columns = rows * window + row, columns * window + column
    source = rows.clamp(max=height - 1) * width + columns.clamp(max=width - 1)
    padding = (rows >= height) | (columns >= width)
    tokens = x.flatten(1, 2).index_select(1, source).masked_fill(padding[:, None], 0)
    return tokens.unflatten(1, (nh * nw, window**2))


def gather_pixels(windows: Tensor, window: int, height: int, width: int) -> Tensor:
    """Do what :func:`reverse` does by looking up each pixel's token, alike for all sizes."""
    rows, columns = cell_places(torch.arange(height * width, device=windows.device), width)
    (rows, row), (columns, column) = cell_places(rows, window), cell_places(columns, window)
    place = rows * windows_along(width, window) + columns
    token = place * window**2 + row * window + column
    return windows.flatten(1, 2).index_select(1, token).unflatten(1, (height, width))


def cell_places(index: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Row and column of cells of a grid that are numbered in raster order.

    The remainder is spelt out: ONNX has none by a number that depends on the image.
    """
    rows = index // width
    return rows, index - rows * width


def compact(x: Tensor) -> Tensor:
    """Copy into contiguous memory, without asking first whether it is needed.

    The question would bind a traced graph to the sizes at hand.
    """
    return x.clone(memory_format=torch.contiguous_format)


def window_key_mask(grid: WindowGrid, device: torch.device | None = None) -> Tensor:
    """Tell which tokens of each window are pixels of the map, not padding.

    Returns:
        Boolean (nh*nw, window*window).
    """
    pixels = torch.ones(1, grid.height, grid.width, 1, device=device)
    return partition(pixels, grid.window)[0, ..., 0] > 0


def window_order(height: int, width: int, window: int, device: torch.device | None = None):
    """Coordinates of the cells of a grid in the order :func:`partition` gives them.

    Args:
        height: Rows of the grid, a multiple of ``window``.
        width: Columns of the grid, a multiple of ``window``.
        window: Side of a window, in cells.

    Returns:
        Two integer tensors (height*width,): row and column of each cell.
    """
    rows, columns = torch.meshgrid(
        torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
    )
    cells = torch.stack((rows, columns), dim=-1)[None]
    return partition(cells, window).reshape(-1, 2).unbind(1)


def carrier_pooling(length: int, window: int, carrier_size: int, device=None) -> Tensor:
    """Averaging matrix that pools one axis of a map to its carriers.

    Every carrier averages ``2*window - (2*carrier_size - 1)*(window // carrier_size)`` pixels, the
    kernel of the reference network at its pretraining size. The kernels start evenly spaced over
    the axis padded to whole windows, so a carrier stays within a pixel of its window's place on
    every grid. Only pixels of the map count; a carrier that covers none has a row of zeros.

    Args:
        length: Pixels along the axis.
        window: Side of a window, in pixels.
        carrier_size: Carriers along the side of a window.

    Returns:
        float32 (ceil(length/window)*carrier_size, length); each row sums to 1 or is zero.
    """
    num_windows = windows_along(length, window)
    kernel = 2 * window - (2 * carrier_size - 1) * (window // carrier_size)
    steps = num_windows * carrier_size - 1
    span = num_windows * window - kernel
    index = torch.arange(steps + 1, device=device)
    starts = (2 * index * span + steps) // torch.sym_max(2 * steps, 1)  # rounded, halves up
    pixel = torch.arange(length, device=device)
    covered = (pixel >= starts[:, None]) & (pixel < starts[:, None] + kernel)
    return covered / covered.sum(1, keepdim=True).clamp(min=1)


def carrier_key_mask(grid: WindowGrid, device: torch.device | None = None) -> Tensor:
    """Tell which carriers of each window pool at least one pixel of the map.

    Returns:
        Boolean (nh*nw, carrier_size**2).
    """
    rows, columns = (
        carrier_pooling(length, grid.window, grid.carrier_size, device).sum(1)
        for length in (grid.height, grid.width)
    )
    seen = torch.outer(rows, columns)[None, :, :, None]  # float: ONNX Runtime masks no booleans
    return partition(seen, grid.carrier_size)[0, ..., 0] > 0


def upsample_carriers(carriers: Tensor, carrier_size: int, window: int) -> Tensor:
    """Spread each window's carriers over its pixels, each pixel taking the nearest.

    Args:
        carriers: (B, nh*nw, carrier_size**2, C).

    Returns:
        (B, nh*nw, window**2, C).
    """
    nearest = torch.arange(window, device=carriers.device) * carrier_size // window
    return carriers[:, :, (nearest[:, None] * carrier_size + nearest).flatten()]
