"""Make the figures of docs/how-hat-works.md, which are beside this file.

What they show is measured or counted when this runs; it takes a minute on one core.

Examples:
    python docs/figures/make.py          # all
    python docs/figures/make.py cost     # one of steps, paths, reach, cost
"""

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from mmfastervit import HATPlugin
from mmfastervit.archs import ARCHS
from mmfastervit.bench.measure import operations_by_kind
from mmfastervit.files import written_whole
from mmfastervit.hat_sheet.field import Field, measure_field, without_carriers
from mmfastervit.hat_sheet.page import BLUE, ORANGE, SKY, Page
from mmfastervit.hat_sheet.stages import choose_stage
from mmfastervit.models.layers import AttentionStage, WindowGrid
from mmfastervit.models.layers.attention import AttentionLayer
from mmfastervit.models.layers.hat import HATBlock
from mmfastervit.models.layers.windows import locate_tokens

FOLDER = Path(__file__).parent
WIDTH, MARGIN, GAP = 10.0, 0.3, 0.35  # inches
INNER = WIDTH - 2 * MARGIN
GREEN = "#009e73"
SIDE, ACROSS, DOWN = 7, 3, 2  # of the drawn windows, in pixels, and how many there are
LEVEL = 8.0  # the bias that makes fresh carriers as loud as pixels, see docs/hat.md


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FIGURES)}")
    for name in parser.parse_args().names or FIGURES:
        suffix, draw = FIGURES[name]
        for theme, ending in (("light", ""), ("dark", "-dark")):
            save(draw(theme), FOLDER / f"hat-{name}{ending}.{suffix}")


def save(figure: Figure, file: Path) -> None:
    """Write a figure whole, without the date that would make each one new."""
    options = {"metadata": {"Date": None}} if file.suffix == ".svg" else {"dpi": 110}
    with written_whole(file) as part:
        figure.savefig(part, facecolor=figure.get_facecolor(), **options)
    print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")


def in_columns(
    page: Page,
    y: float,
    panels: list[tuple[str, Callable[[Axes], object], str]],
    aspect: float,
    inset: tuple[float, float] = (0.0, 0.0),
) -> float:
    """Panels side by side: title, picture, words. Returns where they end.

    Args:
        inset: Inches at the left and below that ticks and labels take.
    """
    column = (INNER - (len(panels) - 1) * GAP) / len(panels)
    width = column - inset[0]
    ends = []
    for i, (title, draw, words) in enumerate(panels):
        x = MARGIN + i * (column + GAP)
        top = page.text(x, y, column, title, size=10.5, weight="bold") + 0.06
        top = page.panel(x + inset[0], top, width, width * aspect, draw) + inset[1]
        ends.append(page.text(x, top + 0.07, column, words, size=9))
    return max(ends)


# --- the three steps of a block


def draw_steps(theme: str) -> Figure:
    """How carriers are made, and who attends to whom in a block."""
    page = Page(WIDTH, theme)
    panels = [
        (
            "1. Carriers from pixels",
            partial(_steps, page, _averages),
            "Once, before the first block: each window gets c x c carrier tokens (here 2 x 2), "
            "each the average of a piece of the map after a 3x3 depthwise convolution. Dashed: the "
            "pieces of one window's carriers.",
        ),
        (
            "2. Carriers attend to carriers",
            partial(_steps, page, _among_carriers),
            "In every block: all carriers of the picture attend to each other. Drawn: what one "
            "carrier listens to.",
        ),
        (
            "3. Windows attend inside",
            partial(_steps, page, _in_window),
            "In every block, after that: the pixels and the carriers of a window attend to each "
            "other. Drawn: what one pixel listens to. It hears of the rest of the map by its "
            "carriers.",
        ),
    ]
    in_columns(page, 0.2, panels, DOWN / ACROSS)
    return page.figure(0.25)


def _steps(page: Page, more: Callable[[Axes], object], axes: Axes) -> None:
    """A map of pixels, windows and carriers, and ``more`` over it."""
    faint = page.theme.faint
    for x in range(1, ACROSS * SIDE):
        axes.axvline(x, color=faint, linewidth=0.3, alpha=0.6)
    for y in range(1, DOWN * SIDE):
        axes.axhline(y, color=faint, linewidth=0.3, alpha=0.6)
    more(axes)
    for x in range(SIDE, ACROSS * SIDE, SIDE):
        axes.axvline(x, color=page.theme.ink, linewidth=1.4)
    for y in range(SIDE, DOWN * SIDE, SIDE):
        axes.axhline(y, color=page.theme.ink, linewidth=1.4)
    for x, y in carriers():
        axes.add_patch(
            Rectangle((x - 0.4, y - 0.4), 0.8, 0.8, facecolor=SKY, edgecolor="black", zorder=5)
        )
    axes.set(xlim=(0, ACROSS * SIDE), ylim=(DOWN * SIDE, 0))


def spans(windows: int) -> np.ndarray:
    """Where the pixels that each carrier of an axis averages begin and end."""
    pooling = locate_tokens(WindowGrid(windows * SIDE, SIDE, SIDE, 2)).pooling
    seen = pooling[0].numpy() > 0
    return np.stack((seen.argmax(1), seen.argmax(1) + seen.sum(1)), axis=1)


def carriers() -> list[tuple[float, float]]:
    """Middles (x, y) of what the carriers average."""
    return [(x, y) for x in spans(ACROSS).mean(1) for y in spans(DOWN).mean(1)]


def _averages(axes: Axes) -> None:
    for x0, x1 in spans(ACROSS)[2:4]:
        for y0, y1 in spans(DOWN)[:2]:
            axes.add_patch(
                Rectangle(
                    (x0, y0),
                    x1 - x0,
                    y1 - y0,
                    facecolor=ORANGE,
                    alpha=0.18,
                    linewidth=0,
                )
            )
            axes.add_patch(
                Rectangle(
                    (x0, y0),
                    x1 - x0,
                    y1 - y0,
                    fill=False,
                    edgecolor=ORANGE,
                    linestyle=(0, (4, 2)),
                    linewidth=1.5,
                )
            )


def _among_carriers(axes: Axes) -> None:
    own = carriers()[4 * DOWN // 2]
    for x, y in carriers():
        axes.plot([own[0], x], [own[1], y], color=SKY, linewidth=1.3, zorder=3)
    axes.plot(*own, "o", markersize=15, markerfacecolor="none", markeredgecolor=ORANGE,
              markeredgewidth=2.2, zorder=6)  # fmt: skip


def _in_window(axes: Axes) -> None:
    axes.add_patch(Rectangle((SIDE, 0), SIDE, SIDE, facecolor=GREEN, alpha=0.3))
    own = SIDE + 3.5, 3.5
    inside = [p for p in carriers() if SIDE < p[0] < 2 * SIDE and p[1] < SIDE]
    for x, y in inside:
        axes.plot([own[0], x], [own[1], y], color=SKY, linewidth=2, zorder=4)
    for x in np.arange(SIDE + 0.5, 2 * SIDE):
        for y in np.arange(0.5, SIDE):
            axes.plot([own[0], x], [own[1], y], color=GREEN, linewidth=0.7, zorder=3)
    axes.plot(*own, "o", markersize=6, color=ORANGE, markeredgecolor="black", zorder=6)


# --- which token moves which, in one block


def draw_paths(theme: str) -> Figure:
    """Measured influence of each token on each, with carriers and without."""
    page = Page(WIDTH, theme)
    strengths = [influences(0), influences(2)]
    top = max(strength.max() for strength in strengths)
    panels = [
        (
            f"Windows alone: {strengths[0].shape[0]} tokens",
            partial(_matrix, page, strengths[0], 0, top),
            "Row: a token that comes out of the block. Column: a token that went in. Bright: moves "
            "it much. Six windows of 16 pixels, and nothing between them.",
        ),
        (
            f"With HAT: {strengths[1].shape[0]} tokens",
            partial(_matrix, page, strengths[1], 2, top),
            "The first 24 tokens (above and left of the blue lines) are the carriers. They move "
            "each other and, if more weakly, every pixel: so what a window's carriers hold reaches "
            "every window in one block.",
        ),
    ]
    in_columns(page, 0.2, panels, 1.0)
    return page.figure(0.25)


@cache
def influences(carrier_size: int) -> np.ndarray:
    """Length of the gradient of a random combination of each token's outputs, by each token."""
    torch.manual_seed(0)
    layers = [AttentionLayer(32, 2) for _ in range(2 if carrier_size else 1)]
    block = HATBlock(*layers, carrier_key_bias=LEVEL).eval()
    windows = locate_tokens(WindowGrid(8, 12, 4, carrier_size))
    grid = windows.grid
    x = torch.randn(1, grid.num_carriers + 96, 32, requires_grad=True)
    order = torch.arange(grid.num_carriers + 96)
    pixels = torch.arange(96).view(2, 4, 3, 4).permute(0, 2, 1, 3).flatten()  # window by window
    order[grid.num_carriers :] = grid.num_carriers + pixels
    out = block(x, windows)
    signs = torch.randint(0, 2, (32,)) * 2.0 - 1
    rows = [torch.autograd.grad(out[0, i] @ signs, x, retain_graph=True)[0][0] for i in order]
    return torch.stack(rows)[:, order].norm(dim=2).numpy()


def _matrix(page: Page, strength: np.ndarray, carrier_size: int, top: float, axes: Axes) -> None:
    axes.imshow(
        np.maximum(strength, top * 1e-4), cmap="viridis", norm=LogNorm(top * 1e-4, top),
        interpolation="nearest",
    )  # fmt: skip
    if carrier_size:
        for line in (axes.axhline, axes.axvline):
            line(23.5, color=SKY, linewidth=1.6)


# --- how far a pixel sees


def draw_reach(theme: str) -> Figure:
    """Receptive fields of a HAT block before and after it has learned to look far."""
    page = Page(WIDTH, theme)
    seen = learned()
    top = max(look.field.strength.max() for look in seen.values())
    panels = [
        (
            name,
            partial(_reach, look.field, top),
            f"{100 * look.outside:.0f} % of what moves the pixel lies outside its window; it is "
            f"right in {100 * look.accuracy:.0f} % of {MAPS} maps.",
        )
        for name, look in seen.items()
    ]
    in_columns(page, 0.2, panels, HEIGHT / BREADTH)
    return page.figure(0.25)


HEIGHT, BREADTH = 14, 21  # of a map with 2 x 3 windows
KINDS, MAPS, STEPS = 4, 512, 300


@dataclass(frozen=True)
class Look:
    """What the last pixel of a map sees, and how often it is right."""

    field: Field
    outside: float
    accuracy: float


class FarSight(nn.Module):
    """One HAT block that has to tell at a map's last pixel what stands in its first window."""

    def __init__(self, channels: int = 32):
        super().__init__()
        self.channels = channels
        self.embed = nn.Embedding(KINDS, channels)
        self.hat = HATPlugin(channels)
        self.head = nn.Linear(channels, KINDS)

    def draw(self, kinds: torch.Tensor) -> torch.Tensor:
        """Maps of noise with a kind each in the first window."""
        x = 0.1 * torch.randn(len(kinds), self.channels, HEIGHT, BREADTH)
        x[:, :, :7, :7] += self.embed(kinds)[:, :, None, None]
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.hat(x)[:, :, -1, -1])

    def look(self) -> Look:
        """Measure."""
        torch.manual_seed(1)
        kinds = torch.randint(KINDS, (MAPS,))
        with torch.no_grad():
            right = (self(self.draw(kinds)).argmax(1) == kinds).float().mean()
            image = self.draw(kinds[:1])
        stage = choose_stage(self)
        field = measure_field(stage, self, image, HEIGHT - 1, BREADTH - 1, copies=10)
        return Look(field, 1 - field.within(slice(7, 14), slice(14, 21)), float(right))


@cache
def learned() -> dict[str, Look]:
    """What the pixel sees before training, after it, and after it without carriers."""
    torch.manual_seed(0)
    network = FarSight()
    seen = {"Before training": network.look()}
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(STEPS):
        kinds = torch.randint(KINDS, (32,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(network.draw(kinds)), kinds).backward()
        optimizer.step()
    seen[f"After {STEPS} steps"] = network.look()
    with without_carriers(network):
        seen["The same, carriers cut off"] = network.look()
    for name, look in seen.items():
        print(f"  {name}: {look.outside:.3f} outside, accuracy {look.accuracy:.3f}")
    return seen


def _reach(field: Field, top: float, axes: Axes) -> None:
    axes.imshow(
        np.maximum(field.strength, top * 1e-4), cmap="viridis", norm=LogNorm(top * 1e-4, top),
        extent=(0, BREADTH, HEIGHT, 0), interpolation="nearest",
    )  # fmt: skip
    for place in range(7, BREADTH, 7):
        axes.axvline(place, color="white", linewidth=0.7, alpha=0.7)
        axes.axhline(place, color="white", linewidth=0.7, alpha=0.7)
    for corner, colour in (((0, 0), SKY), ((14, 7), ORANGE)):
        axes.add_patch(
            Rectangle(corner, 7, 7, fill=False, edgecolor=colour, linewidth=3, clip_on=False)
        )
    axes.set(xlim=(0, BREADTH), ylim=(HEIGHT, 0))


# --- what it costs


def draw_cost(theme: str) -> Figure:
    """Counted operations of one block for images of many sizes."""
    page = Page(WIDTH, theme)
    sides = [224, 320, 448, 640, 896, 1280, 1792, 2560]
    kinds = {
        "full attention": ("#d55e00", "s", (0, (1, 1)), full_attention),
        "windows and carriers (HAT)": (ORANGE, "o", "-", partial(windowed, carrier_size=2)),
        "windows alone": (
            SKY if theme == "dark" else BLUE, "^", (0, (5, 2)), partial(windowed, carrier_size=0)
        ),
    }  # fmt: skip
    counts = {name: [kind[3](side) for side in sides] for name, kind in kinds.items()}
    if theme == "light":
        for name, values in counts.items():
            print(f"  {name}: {' '.join(f'{v:.1f}' for v in values)} GFLOPs at {sides}")

    def draw(axes: Axes) -> None:
        ink = page.theme.ink
        for name, (colour, marker, style, _) in kinds.items():
            axes.plot(sides, counts[name], color=colour, marker=marker, linestyle=style, label=name)
        axes.set(xscale="log", yscale="log")
        axes.set_xticks(sides, [str(side) for side in sides])
        axes.set_yticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
        axes.minorticks_off()
        axes.grid(color=page.theme.faint, alpha=0.3, linewidth=0.6)
        axes.tick_params(labelsize=9, colors=page.theme.faint, labelcolor=ink)
        axes.set_xlabel("side of a square image, pixels", size=9, color=ink)
        axes.set_ylabel("GFLOPs of one block", size=9, color=ink)
        axes.legend(frameon=False, labelcolor=ink, fontsize=9.5)

    panel = ("One block of FasterViT-2's third stage", draw, "")
    in_columns(page, 0.2, [panel], 0.42, inset=(0.6, 0.35))
    return page.figure(0.1)


ARCH = ARCHS["fastervit_2"]
CHANNELS, HEADS = ARCH.channels[2], ARCH.num_heads[2]


@cache
def windowed(side: int, carrier_size: int) -> float:
    """GFLOPs of a block with windows of 7 x 7 on an image's map of stride 16."""
    with torch.device("meta"):
        stage = AttentionStage(CHANNELS, 1, HEADS, 7, carrier_size).eval()
        image = torch.empty(1, CHANNELS, side // 16, side // 16)
    with torch.no_grad():
        return sum(operations_by_kind(lambda: stage(image)).values())


@cache
def full_attention(side: int) -> float:
    """GFLOPs of the same layer when all pixels of that map attend to each other."""
    tokens = (side // 16) ** 2
    with torch.device("meta"):
        layer = AttentionLayer(CHANNELS, HEADS).eval()
        image = torch.empty(1, tokens, CHANNELS)
        bias = torch.empty(HEADS, tokens, tokens)
    with torch.no_grad():
        return sum(operations_by_kind(lambda: layer(image, bias)).values())


FIGURES: dict[str, tuple[str, Callable[[str], Figure]]] = {
    "steps": ("svg", draw_steps),
    "paths": ("png", draw_paths),
    "reach": ("png", draw_reach),
    "cost": ("svg", draw_cost),
}

if __name__ == "__main__":
    main()
