"""How far one pixel of a map sees: its effective receptive field, with carriers and without.

After Luo et al., Understanding the Effective Receptive Field, NeurIPS 2016: not which pixels of the
image can change a feature, but how much they do.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmfastervit.models.layers.hat import AttentionStage, BlockTables, HATBlock
from mmfastervit.models.layers.windows import Windows

from .stages import HATStage, run_to

COPIES = 4
NOISE = 0.1  # standard deviation, as a share of the image's own


@dataclass(frozen=True)
class Field:
    """How much each pixel of an image changes the features of one pixel of a map.

    Args:
        strength: (height, width), no unit.
    """

    strength: NDArray

    def growth(self, x: float, y: float) -> tuple[NDArray, NDArray]:
        """Distances from (x, y) in pixels, rising, and the share of all strength within each."""
        rows, columns = np.indices(self.strength.shape)
        distance = np.hypot(rows + 0.5 - y, columns + 0.5 - x).ravel()
        order = distance.argsort()
        total = self.strength.ravel()[order].cumsum()
        return distance[order], total / total[-1]

    def radius(self, x: float, y: float, share: float) -> float:
        """Radius in pixels of the circle around (x, y) that has ``share`` of all strength."""
        distances, within = self.growth(x, y)
        return float(distances[np.searchsorted(within, share)])

    def within(self, rows: slice, columns: slice) -> float:
        """Share of all strength that lies in a rectangle."""
        return float(self.strength[rows, columns].sum() / self.strength.sum())


def measure_field(
    stage: HATStage,
    run: Callable[[Tensor], Any],
    image: Tensor,
    row: int,
    column: int,
    copies: int = COPIES,
) -> Field:
    """Measure the effective receptive field of a pixel of a stage's map.

    Of a random combination of the pixel's features, each with factor 1 or -1, the gradient by the
    image is taken, squared, added up over the image's channels and averaged over ``copies`` of the
    image with a little noise, each with a combination of its own; the strength is its root. All are
    drawn from one seed, so that two networks are compared on the same.

    Args:
        stage: A stage of the network.
        run: The network, or what calls it.
        image: (1, channels, height, width), as the network takes it.
        row: Of a pixel of the stage's map.
        column: Of that pixel.
        copies: How many noisy copies.
    """
    random = torch.Generator().manual_seed(0)
    total = torch.zeros(image.shape[2:], dtype=torch.float64)
    for _ in range(copies):
        noise = torch.randn(image.shape, generator=random).to(image)
        noisy = (image + NOISE * image.std() * noise).detach().requires_grad_()
        with torch.enable_grad():
            passage = run_to(stage, run, noisy)
            features = stage.features(passage.output, passage.windows, row, column)
            signs = torch.randint(0, 2, features.shape, generator=random) * 2 - 1
            (gradient,) = torch.autograd.grad((features * signs.to(features)).sum(), noisy)
        total += gradient[0].double().square().sum(0).cpu()
    return Field((total / copies).sqrt().numpy())


@contextmanager
def without_carriers(model: nn.Module) -> Iterator[None]:
    """Let no pixel of a network listen to a carrier within the block; afterwards all is as before.

    The pixels' logits towards the carriers of their window are -inf, so that the pixels share out
    all their attention among themselves, and no carriers are added to pixels behind a stage.
    Carriers go on as they were. Weights and the tables that layers keep are not touched.
    """
    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, HATBlock) and module.carrier is not None:
                stack.enter_context(_deaf(module))
            elif isinstance(module, AttentionStage) and module.propagate:
                stack.callback(setattr, module, "propagate", True)
                module.propagate = False
        yield


@contextmanager
def _deaf(block: HATBlock) -> Iterator[None]:
    """Hide the carriers of each window from its pixels in the block's tables."""
    of_class = block.tables
    block.tables = partial(_cut_tables, of_class)  # type: ignore[method-assign]
    try:
        yield
    finally:
        del block.tables  # the class's own comes to light again


def _cut_tables(tables: Callable, windows: Windows, tokens: Tensor) -> BlockTables:
    given: BlockTables = tables(windows, tokens)
    carriers = windows.grid.carrier_size**2
    bias = given.window_bias.clone()
    bias[..., carriers:, :carriers] = -torch.inf
    return given._replace(window_bias=bias)
