"""What a sheet tells: everything that is measured for one point of one picture."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .cam import Cam
from .field import COPIES, Field, measure_field, without_carriers
from .layout import Layout, Scale, lay_out
from .listening import Listening, listen
from .stages import HATStage, choose_stage, run_to

REACHED = 1e-3  # share of all strength from which on a window counts as reached


@dataclass(frozen=True)
class Reach:
    """A receptive field in figures.

    Args:
        outside: Share of the strength that lies outside the point's window.
        windows: Windows of the picture with at least :data:`REACHED` of the strength.
        half: Radius in pixels of the picture of the circle with half of the strength.
        most: Radius of that with 95 percent.
    """

    outside: float
    windows: int
    half: float
    most: float


@dataclass(frozen=True)
class Measured:
    """All that a sheet shows.

    Args:
        name: Of the config.
        picture: (height, width, 3), RGB, 0 to 255.
        point: (x, y) in pixels of the picture.
        is_trained: Whether the network has weights of a checkpoint.
        stage: Name of the stage.
        gate: See :attr:`HATStage.gate`.
        layout: Where its windows and carriers lie.
        blocks: What the point and its carriers listen to, block by block.
        heard: Receptive field of the point in the stage's map, on the picture alone.
        deaf: The same with the carriers cut off from the pixels, in all of the network.
        copies: Noisy copies that the fields are averages of.
        cam: Grad-CAM, where it was asked for.
    """

    name: str
    picture: NDArray
    point: tuple[float, float]
    is_trained: bool
    stage: str
    gate: float | None
    layout: Layout
    blocks: tuple[Listening, ...]
    heard: Field
    deaf: Field
    copies: int
    cam: Cam | None = None

    def summary(self) -> str:
        """What the sheet tells, in one line."""
        heard, deaf = self.reach(self.heard), self.reach(self.deaf)
        weights = "" if self.is_trained else "random weights: "
        return (
            f"{weights}{self.stage}, {len(self.blocks)} blocks; {100 * heard.outside:.1f} % of "
            f"what moves the point lies outside its window ({100 * deaf.outside:.1f} % with "
            f"carriers cut off), 95 % within {heard.most:.0f} pixels ({deaf.most:.0f})"
        )

    def reach(self, field: Field) -> Reach:
        """One of the two fields in figures."""
        layout, (x, y) = self.layout, self.point
        height, width = self.picture.shape[:2]
        fy, fx = field.strength.shape[0] / height, field.strength.shape[1] / width
        rows = np.rint(layout.rows * fy).astype(int)
        columns = np.rint(layout.columns * fx).astype(int)
        shares = np.array(
            [
                [
                    field.within(slice(rows[i], rows[i + 1]), slice(columns[j], columns[j + 1]))
                    for j in range(len(columns) - 1)
                ]
                for i in range(len(rows) - 1)
            ]
        )
        half, most = (field.radius(x * fx, y * fy, share) / fx for share in (0.5, 0.95))
        return Reach(float(1 - shares[layout.own]), int((shares >= REACHED).sum()), half, most)


def check_point(point: tuple[float, float], width: int, height: int) -> None:
    """Raise ValueError unless a point (x, y) lies on a picture of this size."""
    x, y = point
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(
            f"--point {x:g} {y:g} is not on the picture, which is {width} pixels wide and {height} "
            f"high: X goes from 0 to {width - 1}, Y (downwards) from 0 to {height - 1}"
        )


def measure_network(
    model: nn.Module,
    run: Callable[[Tensor], Any],
    image: Tensor,
    picture: NDArray,
    scale: Scale,
    point: tuple[float, float],
    *,
    name: str,
    is_trained: bool,
    stage: str | None = None,
    copies: int = COPIES,
    cam: Callable[[HATStage], Cam] | None = None,
) -> Measured:
    """Measure what one point of a picture listens to in a network.

    Args:
        model: The network, in eval mode.
        run: What is called with the image: the network or its backbone.
        image: (1, channels, height, width) as it takes it.
        picture: (height, width, 3), RGB, of which the image was made.
        scale: How it was made.
        point: (x, y) in pixels of the picture.
        name: What to call the network.
        is_trained: Whether it has weights of a checkpoint.
        stage: See :func:`choose_stage`.
        copies: See :func:`measure_field`.
        cam: Measures Grad-CAM for the stage.

    Raises:
        ValueError: The point is not on the picture, or there are no carriers.
    """
    check_point(point, scale.width, scale.height)
    chosen = choose_stage(model, stage)
    with torch.no_grad():
        passage = run_to(chosen, run, image)
    layout = lay_out(passage.windows, image, scale, point)
    blocks = listen(chosen, passage, *layout.pixel)
    heard = measure_field(chosen, run, image, *layout.pixel, copies)
    with without_carriers(model):
        deaf = measure_field(chosen, run, image, *layout.pixel, copies)
    seen = np.s_[: round(scale.height * scale.y), : round(scale.width * scale.x)]
    return Measured(
        name,
        picture,
        point,
        is_trained,
        chosen.name,
        chosen.gate,
        layout,
        blocks,
        Field(heard.strength[seen]),
        Field(deaf.strength[seen]),
        copies,
        cam(chosen) if cam else None,
    )
