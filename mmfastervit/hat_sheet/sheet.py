"""The sheet: what was measured for one point, drawn and said in plain words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .drawing import (
    CAM,
    DECADES,
    FIELD,
    PIXELS,
    WINDOWS,
    draw_cam,
    draw_field,
    draw_growth,
    draw_listened,
    draw_picture,
    draw_window,
)
from .field import NOISE, Field
from .measuring import REACHED, Measured
from .page import Page

WIDTH, MARGIN, GAP = 10.0, 0.35, 0.28  # inches
INNER = WIDTH - 2 * MARGIN
LARGE, SMALL = 5.95, INNER - 5.95 - GAP  # widths of the picture and of what stands beside it
MAX_HEIGHT = 6.6  # of a panel
TALL = 1.15  # height by width from which on a picture stands in a row with the fields
PER_ROW = 6
EVEN = "times an even share, log scale"


def draw_sheet(measured: Measured, theme: str = "light") -> Figure:
    """Draw what was measured as a sheet, 10 inches wide and as high as it needs.

    Args:
        measured: See :func:`mmfastervit.hat_sheet.measure`.
        theme: 'light' or 'dark'.

    Raises:
        ValueError: There is no such theme.
    """
    page = Page(WIDTH, theme)
    y = _head(page, measured)
    y = _picture_and_fields(page, measured, y + 0.12)
    y = _windows(page, measured, y + 0.22)
    y = _pixels(page, measured, y + 0.22)
    if measured.cam:
        y = _cams(page, measured, y + 0.22)
    page.text(MARGIN, y + 0.2, INNER, _how(measured), size=8, colour=page.theme.faint)
    return page.figure(MARGIN * 0.8)


def _head(page: Page, measured: Measured) -> float:
    x, y = measured.point
    height, width = measured.picture.shape[:2]
    grid = measured.layout.grid
    y_end = page.text(
        MARGIN, 0.28, INNER, "What one point of a picture listens to", size=17, weight="bold"
    )
    y_end = page.text(
        MARGIN,
        y_end,
        INNER,
        f"{measured.name}; point ({x:g}, {y:g}) of a picture of {width} x {height} pixels.\n"
        f"Stage {measured.stage}: {_count(len(measured.blocks), 'HAT block')} on a map of "
        f"{grid.width} x {grid.height} pixels.",
        size=10,
    )
    for warning in _warnings(measured):
        y_end = page.text(MARGIN, y_end + 0.05, INNER, warning, 10, "bold", page.theme.warning)
    return y_end


def _warnings(measured: Measured) -> list[str]:
    """What the reader must know before believing anything."""
    warnings = []
    if not measured.is_trained:
        warnings.append(
            "RANDOM WEIGHTS: no checkpoint was given. This shows how the network is wired, not "
            "what it learns."
        )
    if measured.gate == 0:
        warnings.append(
            "The gate of this HAT is 0: it is still the identity that it starts as, and changes "
            "nothing in the network until training opens it."
        )
    if measured.layout.grid.num_windows == 1:
        warnings.append(
            "The map fits into one window: its carriers have no other window to listen to. More "
            "windows come with a larger size in the config's Resize (in our templates: "
            "image_scale), or with an earlier stage that has HAT."
        )
    return warnings


def _picture_and_fields(page: Page, measured: Measured, y: float) -> float:
    height, width = measured.picture.shape[:2]
    aspect = height / width
    top = _strongest(measured)
    x = MARGIN + LARGE + GAP
    panels: list[tuple[str, Callable, str]] = [
        ("Windows and carriers", partial(draw_picture, measured), _picture_words(measured)),
        (
            "What it sees with carriers",
            partial(draw_field, measured, measured.heard, top),
            _field_words(measured, measured.heard),
        ),
        (
            "What it sees with carriers cut off",
            partial(draw_field, measured, measured.deaf, top),
            _field_words(measured, measured.deaf),
        ),
    ]
    if aspect > TALL:
        column = (INNER - 2 * GAP) / 3
        ends = [
            _titled(page, MARGIN + i * (column + GAP), y, column, aspect, *panel)
            for i, panel in enumerate(panels)
        ]
        y = max(ends) + 0.14
        return max(_growth(page, measured, y, 1.3), _field_bar(page, x, y + 0.3, SMALL))
    left = _titled(page, MARGIN, y, LARGE, aspect, *panels[0])
    right = _titled(page, x, y, SMALL, aspect, *panels[1])
    right = _titled(page, x, right + 0.14, SMALL, aspect, *panels[2])
    right = _field_bar(page, x, right + 0.06, SMALL)
    return max(right, _growth(page, measured, left + 0.18, right - left - 0.95))


def _titled(
    page: Page,
    x: float,
    y: float,
    width: float,
    aspect: float,
    title: str,
    draw: Callable[[Axes], object],
    words: str,
) -> float:
    """A panel with its title above and a caption below; returns where that ends."""
    y = page.text(x, y, width, title, size=10.5, weight="bold") + 0.04
    shown = min(width, MAX_HEIGHT / aspect)
    y = page.panel(x, y, shown, shown * aspect, draw)
    return page.text(x, y + 0.05, width, words, size=9) if words else y


def _picture_words(measured: Measured) -> str:
    layout = measured.layout
    grid = layout.grid
    down, across = (grid.window * unit for unit in layout.stride)
    carriers = grid.carrier_size**2
    return (
        f"Thin lines part the windows: {grid.window} x {grid.window} pixels of the map, "
        f"{across:.0f} x {down:.0f} of the picture. Pixels attend only inside their window. Each "
        f"window has {_count(carriers, 'carrier')} (blue squares), and all carriers of the "
        "picture attend to each other: the only way from one window to another inside this stage. "
        "Ring: the point. Orange: its window. Dashed: what each of its carriers averages."
    )


def _field_words(measured: Measured, field: Field) -> str:
    reach = measured.reach(field)
    windows = int(measured.layout.shown.sum())
    return (
        f"{_percent(reach.outside)} of what moves the point's features lies outside its window; "
        f"{reach.windows} of {_count(windows, 'window')} take part. Half lies within "
        f"{reach.half:.0f} pixels (circle), 95 % within {reach.most:.0f} (dashed)."
    )


def _growth(page: Page, measured: Measured, y: float, height: float) -> float:
    """How the fields grow with the distance, in about ``height``; returns where that ends."""
    y = page.text(MARGIN, y, LARGE, "How far it sees", size=10.5, weight="bold")
    left, below = 0.45, 0.42  # for the axes' ticks and labels
    draw = partial(draw_growth, page.theme, measured)
    height = min(max(height, 1.3), 2.2)
    return page.panel(MARGIN + left, y + 0.08, LARGE - left - 0.1, height, draw) + below


def _field_bar(page: Page, x: float, y: float, width: float) -> float:
    norm = Normalize(-DECADES, 0)  # of the logarithm
    ticks = {-DECADES: f"1/{10**DECADES}", -DECADES / 2: f"1/{10 ** (DECADES // 2)}", 0: "1"}
    return _bar(page, x, y, width, FIELD, norm, ticks, "of the strongest pixel, log scale")


def _bar(
    page: Page,
    x: float,
    y: float,
    width: float,
    colours: str,
    norm: Normalize,
    ticks: dict[Any, str],
    label: str,
) -> float:
    """A colour bar with its ticks and its label below it."""

    def draw(axes: Axes) -> None:
        axes.imshow(np.linspace(0, 1, 256)[None], cmap=colours, aspect="auto")

    inset = 0.2
    y = page.panel(x + inset, y, width - 2 * inset, 0.11, draw)
    for value, tick in ticks.items():
        at = x + inset + float(norm(value)) * (width - 2 * inset)
        page.text(at, y + 0.02, 1.0, tick, size=8, align="center")
    return page.text(
        x + width / 2, y + 0.16, width, label, size=8, colour=page.theme.faint, align="center"
    )


@dataclass(frozen=True)
class _Cell:
    """A small panel: two short lines above it, and what is drawn."""

    title: str
    note: str
    draw: Callable[[Axes], object]


def _cells(
    page: Page,
    y: float,
    cells: Sequence[_Cell],
    aspect: float,
    limit: float,
    per_row: int = PER_ROW,
) -> float:
    """Place small panels in rows of equal length; returns where the last ends."""
    rows = ceil(len(cells) / per_row)
    across = ceil(len(cells) / rows)
    gap = 0.14
    places = max(across, min(per_row, 4))
    column = (INNER - (places - 1) * gap) / places
    shown = min(column, limit / aspect)
    for start in range(0, len(cells), across):
        bottoms = []
        for i, cell in enumerate(cells[start : start + across]):
            x = MARGIN + i * (column + gap)
            top = page.text(x, y, column, cell.title, size=9, weight="bold")
            if cell.note:
                top = page.text(x, top, column, cell.note, size=8.5)
            bottoms.append((x, top, cell.draw))
        top = max(top for _, top, _ in bottoms) + 0.04
        for x, _, draw in bottoms:
            page.panel(x, top, shown, shown * aspect, draw)
        y = top + shown * aspect + 0.12
    return y


def _section(
    page: Page, y: float, title: str, words: str, bar: Callable[[float, float, float], float]
) -> float:
    """A heading with words below it and a colour bar at the right; returns where they end."""
    bar_width = 2.5
    left = page.text(MARGIN, y, INNER - bar_width - GAP, title, size=12, weight="bold")
    left = page.text(MARGIN, left + 0.03, INNER - bar_width - GAP, words, size=9)
    right = bar(WIDTH - MARGIN - bar_width, y + 0.05, bar_width)
    return max(left, right) + 0.1


def _windows(page: Page, measured: Measured, y: float) -> float:
    blocks, shown = measured.blocks, measured.layout.shown
    norm, ticks = _times_even([block.preference[shown] for block in blocks])
    y = _section(
        page,
        y,
        "Which windows its carriers listen to, block by block",
        _windows_words(measured),
        lambda x, y, w: _bar(page, x, y, w, WINDOWS, norm, ticks, EVEN),
    )
    total = int(shown.sum())
    cells = [
        _Cell(
            f"block {i}",
            f"as if {_figure(block.windows_heard)} of {total}",
            partial(draw_listened, measured, block.preference, norm),
        )
        for i, block in enumerate(blocks, start=1)
    ]
    height, width = measured.picture.shape[:2]
    return _cells(page, y, cells, height / width, 3.0)


def _times_even(preferences: Sequence[NDArray]) -> tuple[LogNorm, dict[float, str]]:
    """Colours for multiples of an even share, 1 in their middle, and ticks of their bar."""
    values = np.concatenate([np.ravel(preference) for preference in preferences])
    values = np.abs(np.log2(np.maximum(values[np.isfinite(values)], 2.0**-9)))
    doublings = int(np.clip(np.ceil(np.quantile(values, 0.99)), 1, 5))
    most = 2**doublings
    return LogNorm(1 / most, most, clip=True), {1 / most: f"1/{most}", 1: "1", most: f"{most}"}


def _windows_words(measured: Measured) -> str:
    count = _count(measured.layout.grid.carrier_size**2, "carrier")
    return (
        f"The {count} of the point's window share out their attention over all carriers. Coloured: "
        "what each window gets, where 1 is as much as when all are listened to alike. 'As if' says "
        "over how many windows, equally heard, it is spread as widely."
    )


def _pixels(page: Page, measured: Measured, y: float) -> float:
    blocks = measured.blocks
    norm, ticks = _times_even([x for block in blocks for x in block.pixel_preference])
    y = _section(
        page,
        y,
        "What the point itself listens to, block by block",
        "Its window enlarged: the large square holds the window's pixels of the map, the small one "
        "below it the window's carriers. Only through these does it hear of other windows; 'to "
        "carriers' says what part of its attention they get.",
        lambda x, y, w: _bar(page, x, y, w, PIXELS, norm, ticks, EVEN),
    )
    cells = [
        _Cell(
            f"block {i}",
            f"{_percent(block.to_carriers)} to carriers",
            partial(draw_window, measured, *block.pixel_preference, norm),
        )
        for i, block in enumerate(blocks, start=1)
    ]
    grid = measured.layout.grid
    return _cells(page, y, cells, 1 + (grid.carrier_size + 0.6) / grid.window, 2.0)


def _cams(page: Page, measured: Measured, y: float) -> float:
    cam = measured.cam
    if cam is None:
        return y
    norm = Normalize(0, 1)
    y = _section(
        page,
        y,
        "Grad-CAM: where the network found it",
        f"Of {cam.target}. Bright: what raises it, each view scaled to its own largest value.",
        lambda x, y, w: _bar(
            page, x, y, w, CAM, norm, {0: "0", 1: "1"}, "of the view's largest value"
        ),
    )
    cells = [
        _Cell(
            view.title,
            view.note if view.heat is not None else "has no part in it",
            partial(draw_cam, measured, view.heat),
        )
        for view in cam.views
    ]
    height, width = measured.picture.shape[:2]
    return _cells(page, y, cells, height / width, 3.0, per_row=3)


def _how(measured: Measured) -> str:
    return (
        "How this was measured. Attention: the mean over heads. What a point sees: its effective "
        "receptive field (Luo et al. 2016), the root of the mean squared gradient of its features "
        f"in this stage's map by the picture, over {_count(measured.copies, 'copy', 'copies')} "
        f"with noise of {NOISE:g} of the picture's spread; a window takes part from "
        f"{100 * REACHED:g} % of its sum on. Carriers cut off: with the same weights, the "
        "attention of pixels to carriers is masked in every block of the network."
    )


def _strongest(measured: Measured) -> float:
    return float(max(measured.heard.strength.max(), measured.deaf.strength.max()))


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _percent(share: float) -> str:
    """A share with as many digits as say something: 12 %, 0.3 %, < 0.1 %."""
    percent = 100 * share
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.1f} %"


def _figure(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"
