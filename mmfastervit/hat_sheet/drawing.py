"""The panels of a sheet, each drawn on axes in pixels of the picture."""

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patches import Circle, Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from .field import Field
from .layout import Layout
from .measuring import Measured
from .page import BLUE, ORANGE, SKY, THEMES, Theme

DECADES = 4  # that the fields' colours span
WINDOWS, PIXELS, FIELD, CAM = "viridis", "cividis", "viridis", "cividis"
HALO = [patheffects.withStroke(linewidth=2.6, foreground="black", alpha=0.75)]


def draw_picture(measured: Measured, axes: Axes) -> None:
    layout = measured.layout
    _show(axes, measured.picture)
    _draw_windows(axes, layout, 1.1)
    centres = [
        (x, y) for x in _centres(layout.carrier_columns) for y in _centres(layout.carrier_rows)
    ]
    spacing = min(np.diff(layout.columns)[0], np.diff(layout.rows)[0]) / layout.grid.carrier_size
    half = min(spacing / 10, max(measured.picture.shape) / 100)
    squares = [Rectangle((x - half, y - half), 2 * half, 2 * half) for x, y in centres]
    axes.add_collection(
        PatchCollection(squares, facecolor=SKY, edgecolor="black", linewidth=0.4, zorder=3)
    )
    _draw_own(axes, layout, 2.2)
    c = layout.grid.carrier_size
    for row in layout.carrier_rows[layout.own[0] * c :][:c]:
        for column in layout.carrier_columns[layout.own[1] * c :][:c]:
            axes.add_patch(
                Rectangle(
                    (column[0], row[0]),
                    np.ptp(column),
                    np.ptp(row),
                    fill=False,
                    edgecolor=ORANGE,
                    linestyle=(0, (4, 2)),
                    linewidth=1.1,
                    zorder=4,
                )
            )
    _draw_point(axes, measured)


def draw_field(measured: Measured, field: Field, top: float, axes: Axes) -> None:
    height, width = measured.picture.shape[:2]
    axes.imshow(
        np.maximum(field.strength, top * 10.0**-DECADES),
        cmap=FIELD,
        norm=LogNorm(top * 10.0**-DECADES, top),
        extent=(0, width, height, 0),
        interpolation="antialiased",
    )
    _draw_windows(axes, measured.layout, 0.35)
    _draw_own(axes, measured.layout, 1.4)
    reach = measured.reach(field)
    for radius, style in ((reach.half, "-"), (reach.most, (0, (5, 3)))):
        circle = Circle(measured.point, radius, fill=False, edgecolor="white", linewidth=1.3)
        circle.set(linestyle=style, path_effects=HALO, zorder=5)
        axes.add_patch(circle)
    _frame(axes, width, height)


def draw_growth(theme: Theme, measured: Measured, axes: Axes) -> None:
    """Share of the strength within a distance of the point, for both fields."""
    height, width = measured.picture.shape[:2]
    x, y = measured.point
    lines = (
        (measured.heard, "with carriers", ORANGE, "-"),
        (measured.deaf, "carriers cut off", SKY if theme is THEMES["dark"] else BLUE, (0, (5, 2))),
    )
    for field, label, colour, style in lines:
        fy, fx = field.strength.shape[0] / height, field.strength.shape[1] / width
        distances, within = field.growth(x * fx, y * fy)
        some = np.linspace(0, len(distances) - 1, min(len(distances), 2000)).astype(int)
        axes.plot(
            distances[some] / fx, 100 * within[some], label=label, color=colour, linestyle=style
        )
    axes.set(xlim=(0, None), ylim=(0, 103), yticks=(0, 50, 100))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel("pixels of the picture from the point", size=8, color=theme.ink, labelpad=2)
    axes.set_ylabel("% of what it sees", size=8, color=theme.ink, labelpad=2)
    axes.tick_params(labelsize=8, colors=theme.faint, labelcolor=theme.ink, length=2.5)
    axes.grid(color=theme.faint, alpha=0.25, linewidth=0.6)
    legend = axes.legend(loc="lower right", fontsize=8.5, frameon=False, labelcolor=theme.ink)
    legend.set_zorder(5)


def draw_listened(measured: Measured, preference: NDArray, norm: Normalize, axes: Axes) -> None:
    layout = measured.layout
    rows, columns = layout.shown.any(1), layout.shown.any(0)
    height, width = measured.picture.shape[:2]
    _show(axes, np.repeat(measured.picture.mean(2, keepdims=True).astype(np.uint8), 3, axis=2))
    axes.pcolormesh(
        layout.columns[: columns.sum() + 1],
        layout.rows[: rows.sum() + 1],
        preference[np.ix_(rows, columns)],
        cmap=WINDOWS,
        norm=norm,
        alpha=0.8,
        linewidth=0,
        rasterized=True,
    )
    _draw_own(axes, layout, 1.4)
    _frame(axes, width, height)


def draw_window(
    measured: Measured, pixels: NDArray, carriers: NDArray, norm: Normalize, axes: Axes
) -> None:
    """The pixels of a window, and below them its carriers."""
    grid = measured.layout.grid
    side, c = grid.window, grid.carrier_size
    axes.pcolormesh(np.arange(side + 1), np.arange(side + 1), pixels, cmap=PIXELS, norm=norm)
    top = side + 0.6
    axes.pcolormesh(np.arange(c + 1), top + np.arange(c + 1), carriers, cmap=PIXELS, norm=norm)
    for corner, size in (((0, 0), side), ((0, top), c)):
        edge = ORANGE if size == side else SKY
        axes.add_patch(
            Rectangle(corner, size, size, fill=False, edgecolor=edge, linewidth=1.4, clip_on=False)
        )
    row, column = (place % side for place in measured.layout.pixel)
    axes.plot(
        column + 0.5,
        row + 0.5,
        "o",
        markersize=5,
        markerfacecolor="none",
        markeredgecolor="white",
        markeredgewidth=1.2,
        path_effects=HALO,
    )
    axes.set(xlim=(0, side), ylim=(top + c, 0), aspect="equal")
    axes.axis("off")


def draw_cam(measured: Measured, heat: NDArray | None, axes: Axes) -> None:
    height, width = measured.picture.shape[:2]
    _show(axes, np.repeat(measured.picture.mean(2, keepdims=True).astype(np.uint8), 3, axis=2))
    if heat is not None:
        axes.imshow(heat, cmap=CAM, vmin=0, vmax=1, alpha=0.7, extent=(0, width, height, 0))
    _draw_point(axes, measured)


def _show(axes: Axes, picture: NDArray) -> None:
    height, width = picture.shape[:2]
    axes.imshow(picture, extent=(0, width, height, 0), interpolation="antialiased")
    _frame(axes, width, height)


def _frame(axes: Axes, width: int, height: int) -> None:
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")


def _draw_windows(axes: Axes, layout: Layout, linewidth: float) -> None:
    height, width = layout.rows[-1], layout.columns[-1]
    lines = [((0, y), (width, y)) for y in layout.rows[1:-1]]
    lines += [((x, 0), (x, height)) for x in layout.columns[1:-1]]
    for colour, wider in (("black", 0.8), ("white", 0.0)):
        axes.add_collection(
            LineCollection(lines, colors=colour, linewidths=linewidth + wider, alpha=0.8, zorder=2)
        )


def _draw_own(axes: Axes, layout: Layout, linewidth: float) -> None:
    row, column = layout.own
    corner = layout.columns[column], layout.rows[row]
    size = np.diff(layout.columns)[column], np.diff(layout.rows)[row]
    for colour, wider in (("black", 1.4), (ORANGE, 0.0)):
        axes.add_patch(
            Rectangle(
                corner, *size, fill=False, edgecolor=colour, linewidth=linewidth + wider, zorder=4
            )
        )


def _draw_point(axes: Axes, measured: Measured) -> None:
    axes.plot(
        *measured.point,
        "o",
        markersize=8,
        markerfacecolor="none",
        markeredgecolor="white",
        markeredgewidth=1.6,
        path_effects=HALO,
        zorder=6,
    )


def _centres(spans: NDArray) -> NDArray:
    """Middles of those spans that are not empty."""
    return spans[np.ptp(spans, axis=1) > 0].mean(axis=1)
