"""Layout of windows and carrier tokens: pure functions, nothing learned.

Maps are (B, H, W, C). Windows are numbered in raster order, and so are the places inside each; at
the bottom and at the right they may reach beyond the map. Carrier tokens are kept in **window
order** everywhere (the carriers of one window stand together); pixels stay where they are in the
map, and each window looks its own up when it attends.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.types import Device

from . import graph


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
    def num_windows(self) -> int:
        """Windows of the whole map, nh*nw."""
        return self.shape[0] * self.shape[1]

    @property
    def num_carriers(self) -> int:
        """Carriers of all windows together, nh*nw*c*c."""
        return self.num_windows * self.carrier_size**2

    @property
    def is_padded(self) -> bool:
        """Whether some window reaches, or in a graph for any size may reach, beyond the map."""
        return not (is_whole(self.height, self.window) and is_whole(self.width, self.window))


class Windows(NamedTuple):
    """Where the tokens of a map stand in its windows.

    Tokens are listed without padding: the carriers in window order, then the pixels row by row.
    A window has its carriers first, then its pixels row by row (N = c*c + window**2 places).
    """

    grid: WindowGrid
    tokens: Tensor  # (nh*nw*N,), the token in each place; where there is none, any one
    places: Tensor  # (nh*nw*c*c + H*W,), the place of each token
    inside: Tensor  # (H*W,), the place of each pixel among those of its window
    visible: Tensor | None  # (nh*nw, N), whether what stands there is to be seen; None if all is
    # Of the carriers, None where there are none:
    nearest: Tensor | None = None  # (H*W,), the nearest one of each pixel's window
    pooling: tuple[Tensor, Tensor] | None = None  # (nh*c, H) and (nw*c, W), see carrier_pooling
    carriers: Tensor | None = None  # (nh*nw*c*c,), their places in a map of the carriers

    def gather(self, x: Tensor) -> Tensor:
        """Put tokens (B, nh*nw*c*c + H*W, F) in their windows: (B, nh*nw, N, F)."""
        return x.index_select(1, self.tokens).unflatten(1, (self.grid.num_windows, -1))

    def scatter(self, x: Tensor) -> Tensor:
        """Take tokens (B, nh*nw*c*c + H*W, F) from their windows (B, nh*nw, N, F)."""
        return x.flatten(1, 2).index_select(1, self.places)


def locate_tokens(grid: WindowGrid, device: Device = None) -> Windows:
    """Find where the tokens of a map stand, by arithmetic alike for all sizes."""
    window, c = grid.window, grid.carrier_size
    height, width, across, per_window = grid.height, grid.width, grid.shape[1], c**2
    carriers = torch.arange(grid.num_carriers, device=device)
    pixels = torch.arange(height * width, device=device)

    numbered = (pixels + grid.num_carriers).view(1, height, width, 1)
    in_windows = partition(numbered, window)[0, ..., 0]
    tokens = torch.cat((carriers.view(grid.num_windows, per_window), in_windows), dim=1)

    rows, columns = divide(pixels, width)
    (window_row, row), (window_column, column) = divide(rows, window), divide(columns, window)
    which, inside = window_row * across + window_column, row * window + column
    places = which * (per_window + window**2) + per_window + inside
    seen = window_key_mask(grid, device) if grid.is_padded else None
    if not c:
        return Windows(grid, tokens.flatten(), places, inside, seen)
    pooling = carrier_pooling(height, window, c, device), carrier_pooling(width, window, c, device)
    if seen is not None:
        seen = torch.cat((carrier_key_mask(*pooling, c), seen), dim=1)
    own, member = divide(carriers, per_window)
    carrier_places = own * (per_window + window**2) + member
    return Windows(
        grid,
        tokens.flatten(),
        torch.cat((carrier_places, places)),
        inside,
        seen,
        nearest=which * per_window + row * c // window * c + column * c // window,
        pooling=pooling,
        carriers=partition(carriers.view(1, *grid.carrier_shape, 1), c).flatten(),
    )


def windows_along(length: int, window: int) -> int:
    """Windows that cover an axis of ``length`` pixels."""
    return (length + window - 1) // window


def is_whole(length: int, window: int) -> bool:
    """Whether an axis is made of whole windows.

    While a graph is traced for any size, only what holds for every size counts: a branch on the
    size at hand would bind the graph to it.
    """
    return graph.holds(length % window == 0)


def partition(x: Tensor, window: int) -> Tensor:
    """Cut a map into windows by looking up the pixel of each place, alike for all sizes.

    Args:
        x: (B, H, W, C), numbers of any kind but booleans, which ONNX Runtime can't mask.
        window: Side of a window.

    Returns:
        (B, nh*nw, window*window, C) with nh = ceil(H / window), nw = ceil(W / window); zero in the
        padding.
    """
    height, width = x.shape[1:3]
    nh, nw = windows_along(height, window), windows_along(width, window)
    which, inside = divide(torch.arange(nh * nw * window**2, device=x.device), window**2)
    (window_row, window_column), (row, column) = divide(which, nw), divide(inside, window)
    rows, columns = window_row * window + row, window_column * window + column
    pixels = rows.clamp(max=height - 1) * width + columns.clamp(max=width - 1)
    padding = (rows >= height) | (columns >= width)
    places = x.flatten(1, 2).index_select(1, pixels).masked_fill(padding[:, None], 0)
    return places.unflatten(1, (nh * nw, window**2))


def divide(index: Tensor, by: int) -> tuple[Tensor, Tensor]:
    """Quotient and remainder of integers, such as row and column of cells in raster order.

    The remainder is spelt out: ONNX has none by a number that depends on the image.
    """
    quotient = index // by
    return quotient, index - quotient * by


def window_key_mask(grid: WindowGrid, device: Device = None) -> Tensor:
    """Tell which tokens of each window are pixels of the map, not padding.

    Returns:
        Boolean (nh*nw, window*window).
    """
    pixels = torch.ones(1, grid.height, grid.width, 1, device=device)
    return partition(pixels, grid.window)[0, ..., 0] > 0


def window_order(
    height: int, width: int, window: int, device: Device = None
) -> tuple[Tensor, Tensor]:
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
    rows, columns = partition(cells, window).reshape(-1, 2).unbind(1)
    return rows, columns


def relative_index(height: int, width: int, window: int, device: Device = None) -> Tensor:
    """Number the offset between every two cells of a grid, in raster order of all offsets.

    Args:
        height: Rows of the grid.
        width: Columns of the grid.
        window: Cells are listed window by window, this many to a side.

    Returns:
        Integers (height*width, height*width), query first, then key, of a table of
        (2*height-1) x (2*width-1) offsets.
    """
    rows, columns = window_order(height, width, window, device)
    row_index = rows[:, None] - rows + height - 1
    column_index = columns[:, None] - columns + width - 1
    return row_index * (2 * width - 1) + column_index


def carrier_pooling(length: int, window: int, carrier_size: int, device: Device = None) -> Tensor:
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


def carrier_key_mask(rows: Tensor, columns: Tensor, carrier_size: int) -> Tensor:
    """Tell which carriers of each window pool at least one pixel of the map.

    Args:
        rows: (nh*c, H), see :func:`carrier_pooling`.
        columns: (nw*c, W).
        carrier_size: Carriers along the side of a window, c.

    Returns:
        Boolean (nh*nw, carrier_size**2).
    """
    pooled = torch.outer(rows.sum(1), columns.sum(1))  # float: ONNX Runtime masks no booleans
    return partition(pooled[None, :, :, None], carrier_size)[0, ..., 0] > 0
