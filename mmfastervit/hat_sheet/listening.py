"""Who listens to whom: the attention of one pixel, and of the carriers of its window."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmfastervit.models.layers.hat import BlockWeights
from mmfastervit.models.layers.windows import Windows

from .stages import HATStage, Passage


@dataclass(frozen=True)
class Listening:
    """What one pixel, and the carriers of its window, listen to in one block; means over heads.

    The pixel's shares, to pixels and to carriers, sum to 1 together.

    Args:
        windows: (nh, nw) share of the carriers' attention that goes to the carriers of each window;
            sums to 1.
        even: (nh, nw) what these shares are when all carriers are listened to alike.
        pixels: (w, w) share of the pixel's attention that goes to each pixel of its window, NaN
            where the window reaches beyond the map.
        carriers: (c, c) share that goes to each carrier of its window, NaN for one that no pixel
            made.
    """

    windows: NDArray
    even: NDArray
    pixels: NDArray
    carriers: NDArray

    @property
    def to_carriers(self) -> float:
        """Share of the pixel's attention that goes to its carriers."""
        return float(np.nansum(self.carriers))

    @property
    def preference(self) -> NDArray:
        """(nh, nw) the carriers' attention as a multiple of an even share."""
        return self.windows / self.even

    @property
    def pixel_preference(self) -> tuple[NDArray, NDArray]:
        """The pixel's attention to pixels and to carriers, as multiples of an even share."""
        keys = np.isfinite(self.pixels).sum() + np.isfinite(self.carriers).sum()
        return self.pixels * keys, self.carriers * keys

    @property
    def windows_heard(self) -> float:
        """Over how many windows, equally heard, it would spread as widely: exp of its entropy."""
        shares = self.windows[self.windows > 0]
        return float(np.exp(-(shares * np.log(shares)).sum()))


@torch.no_grad()
def listen(stage: HATStage, passage: Passage, row: int, column: int) -> tuple[Listening, ...]:
    """Measure every block of a stage with carriers.

    Args:
        stage: The stage.
        passage: What an image was to it.
        row: Of a pixel of the stage's map.
        column: Of that pixel.
    """
    return tuple(
        _listening(block.attention_weights(*inputs), inputs[1], row, column)
        for block, inputs in zip(stage.blocks, passage.inputs, strict=True)
    )


def _listening(weights: BlockWeights, windows: Windows, row: int, column: int) -> Listening:
    grid = windows.grid
    per_window, side = grid.carrier_size**2, grid.window
    own = row // side * grid.shape[1] + column // side
    seen = torch.ones(grid.num_windows, per_window + side**2, dtype=torch.bool)
    if windows.visible is not None:
        seen = windows.visible.cpu()

    if weights.carriers is None:
        raise ValueError("this block has no carriers")
    carriers = weights.carriers[0].mean(0).unflatten(0, (-1, per_window))[own]  # (c*c, K)
    speaking = seen[own, :per_window].to(carriers.device)  # not those that stand for no pixel
    windows_heard = carriers[speaking].mean(0).unflatten(0, (*grid.shape, per_window)).sum(-1)
    made = seen[:, :per_window].sum(1).double()

    place = per_window + row % side * side + column % side
    pixel = weights.windows[0, own].mean(0)[place].double().cpu()  # (N,)
    pixel = pixel.masked_fill(~seen[own], torch.nan)
    return Listening(
        _array(windows_heard),
        _array((made / made.sum()).view(grid.shape)),
        _array(pixel[per_window:].view(side, side)),
        _array(pixel[:per_window].view(grid.carrier_size, -1)),
    )


def _array(values: Tensor) -> NDArray:
    return values.double().cpu().numpy()
