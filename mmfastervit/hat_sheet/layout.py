"""Where the windows and carriers of a stage lie on a picture."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mmfastervit.models.layers.windows import WindowGrid, Windows

STRIDES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Scale:
    """How a picture was made the image that a network takes.

    Args:
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.
        x: Pixels of the image for one of the picture, along its width.
        y: The same along its height.
    """

    width: int
    height: int
    x: float = 1.0
    y: float = 1.0


@dataclass(frozen=True)
class Layout:
    """Windows and carriers, and which of them a point belongs to, in pixels of the picture.

    Args:
        grid: The windows of the map.
        stride: Pixels of the picture for one of the map, (y, x).
        rows: (nh + 1,) edges of the windows; none lies beyond the picture.
        columns: (nw + 1,) the same along the width.
        carrier_rows: (nh*c, 2) where the pixels that each carrier averages begin and end.
        carrier_columns: (nw*c, 2) the same along the width.
        pixel: (row, column) of the map that the point lies in.
    """

    grid: WindowGrid
    stride: tuple[float, float]
    rows: NDArray
    columns: NDArray
    carrier_rows: NDArray
    carrier_columns: NDArray
    pixel: tuple[int, int]

    @property
    def own(self) -> tuple[int, int]:
        """Row and column of the point's window."""
        side = self.grid.window
        return self.pixel[0] // side, self.pixel[1] // side

    @property
    def shown(self) -> NDArray:
        """(nh, nw) whether a window lies on the picture, not all in what was added to it."""
        return np.outer(np.diff(self.rows) > 0, np.diff(self.columns) > 0)


def lay_out(windows: Windows, image: Tensor, scale: Scale, point: tuple[float, float]) -> Layout:
    """Find where the windows of a map lie on the picture.

    Args:
        windows: Of the map, with carriers.
        image: (1, channels, height, width) that the map was made of.
        scale: How the picture was made that image.
        point: (x, y) on the picture, in pixels.
    """
    if windows.pooling is None:
        raise ValueError("these windows have no carriers")
    grid = windows.grid
    length, breadth = image.shape[2:]
    stride = stride_of((length, breadth), (grid.height, grid.width))
    sizes, factors = (scale.height, scale.width), (scale.y, scale.x)
    unit = [s / factor for s, factor in zip(stride, factors, strict=True)]
    edges = [
        np.minimum(np.arange(n + 1) * grid.window * u, size)
        for n, u, size in zip(grid.shape, unit, sizes, strict=True)
    ]
    spans = [
        np.minimum(_spans(matrix) * u, size)
        for matrix, u, size in zip(windows.pooling, unit, sizes, strict=True)
    ]
    places = [
        min(int(coordinate / u), cells - 1)
        for coordinate, u, cells in zip(point[::-1], unit, (grid.height, grid.width), strict=True)
    ]
    return Layout(
        grid,
        (unit[0], unit[1]),
        rows=edges[0],
        columns=edges[1],
        carrier_rows=spans[0],
        carrier_columns=spans[1],
        pixel=(places[0], places[1]),
    )


def _spans(pooling: Tensor) -> NDArray:
    """Where the pixels that each row of a pooling matrix averages begin and end; equal if none."""
    seen = pooling.cpu().numpy() > 0
    first = seen.argmax(1)
    return np.stack((first, first + seen.sum(1)), axis=1).astype(float)


def stride_of(image: tuple[int, int], cells: tuple[int, int]) -> tuple[float, float]:
    """Pixels of an image for one of its map, along height and width.

    A power of two where one makes a map of this size, rounding up; else the quotient of the sizes.
    """
    for stride in STRIDES:
        if tuple(math.ceil(length / stride) for length in image) == cells:
            return float(stride), float(stride)
    return image[0] / cells[0], image[1] / cells[1]
