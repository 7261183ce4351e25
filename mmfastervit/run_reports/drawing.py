"""Drawing the curves of runs side by side."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mmfastervit.files import written_whole

from .colours import DASHES, MARKS, Theme
from .panels import Panel, smoothed

_PANEL = (5.4, 3.1)  # inches
_DPI = 130
_FEW = 40  # evaluations up to which each has its mark
_STEEP = 50  # a largest value so many times the smallest is drawn on a logarithmic scale
_LONGEST = 64  # letters of a run's name


def draw_curves(
    panels: Sequence[Panel], names: Sequence[str], theme: Theme, smooth: int = 1
) -> Figure:
    """Draw a panel for each scalar with a line for each run.

    Args:
        panels: What is drawn.
        names: Of the runs, at most :data:`~.panels.MOST_RUNS`.
        theme: Light or dark.
        smooth: How many logged lines a point of training is the mean of; what was logged stays
            faintly behind it. Metrics and rates are drawn as they are.
    """
    columns = 1 if len(panels) == 1 else 2
    rows = ceil(len(panels) / columns)
    legend_rows = ceil(len(names) / _legend_columns(names, columns))
    height = _PANEL[1] * rows + 0.24 * legend_rows + 0.2
    with rc_context({"font.size": 9, "axes.titlesize": 10, "axes.formatter.limits": (-4, 5)}):
        layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)  # inches, around each panel
        figure = Figure(figsize=(_PANEL[0] * columns, height), dpi=_DPI, layout=layout)
        FigureCanvasAgg(figure)
        figure.set_facecolor(theme.ground)
        end = _last_step(panels)
        for number, panel in enumerate(panels):
            axes = figure.add_subplot(rows, columns, number + 1)
            _draw_panel(axes, panel, theme, smooth)
            axes.set_xlim(0, end * 1.02)
            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=(1, 2, 5, 10)))
        nothing = np.zeros(0)
        handles = [
            _line(number, theme, nothing, nothing, marked=True) for number in range(len(names))
        ]
        figure.legend(
            handles,
            [_cut(name) for name in names],
            loc="outside upper left",
            ncols=_legend_columns(names, columns),
            frameon=False,
            labelcolor=theme.ink,
            handlelength=4.5,
        )
    return figure


def save_figure(figure: Figure, folder: Path, stem: str) -> list[Path]:
    """Write a figure as PNG and as SVG, each whole; the same figure gives the same SVG.

    Returns:
        The files.
    """
    files = []
    for suffix in ("png", "svg"):
        target = folder / f"{stem}.{suffix}"
        metadata = {"Date": None} if suffix == "svg" else None
        with written_whole(target) as part, rc_context({"svg.hashsalt": "mmfastervit"}):
            figure.savefig(part, facecolor=figure.get_facecolor(), metadata=metadata)
        files.append(target)
    return files


def _last_step(panels: Sequence[Panel]) -> float:
    """Where the longest curve ends: all panels go as far, so that they can be compared."""
    curves = [curve for panel in panels for curve in panel.curves if curve is not None]
    return max((float(curve.steps[-1]) for curve in curves), default=1.0) or 1.0


def _legend_columns(names: Sequence[str], columns: int) -> int:
    """As many names beside each other as have room."""
    longest = max(len(_cut(name)) for name in names)
    room = _PANEL[0] * columns / (0.075 * longest + 0.75)
    return max(1, min(len(names), int(room)))


def _cut(name: str) -> str:
    """A name without its middle, where it is long."""
    if len(name) <= _LONGEST:
        return name
    half = _LONGEST // 2 - 1
    return f"{name[:half]}…{name[-half:]}"


def _line(
    number: int, theme: Theme, steps: np.ndarray, values: np.ndarray, marked: bool = False
) -> Line2D:
    """The line of a run: its colour, its pattern and, where marked, its mark."""
    line = Line2D(steps, values, color=theme.lines[number], linewidth=1.5)
    if DASHES[number]:
        line.set_linestyle((0, DASHES[number]))
    if marked:
        line.set(marker=MARKS[number], markersize=4, markeredgewidth=0)
    return line


def _draw_panel(axes: Axes, panel: Panel, theme: Theme, smooth: int) -> None:
    smooth = 1 if panel.is_metric or panel.name in ("lr", "base_lr") else smooth
    drawn = []
    for number, curve in enumerate(panel.curves):
        if curve is None:
            continue
        values = np.where(np.isfinite(curve.values), curve.values, np.nan)
        drawn.append(values)
        if smooth > 1:
            faint = _line(number, theme, curve.steps, values)
            faint.set(alpha=0.25, linewidth=0.8, linestyle="-")
            axes.add_line(faint)
            values = smoothed(curve.values, smooth)
        marked = len(curve.steps) == 1 or (panel.is_metric and len(curve.steps) <= _FEW)
        axes.add_line(_line(number, theme, curve.steps, values, marked))
        _mark_breaks(axes, curve.steps[~np.isfinite(curve.values)], theme.lines[number])
    _scale(axes, np.concatenate([np.ravel(part) for part in drawn] or [np.zeros(0)]))
    title = panel.label + (f" (mean of {smooth} logged lines)" if smooth > 1 else "")
    _dress(axes, title, theme)


def _mark_breaks(axes: Axes, steps: np.ndarray, colour: str) -> None:
    """A cross at the upper edge for each value that is not finite."""
    for step in steps:
        axes.plot(
            [step], [1], "x", color=colour, transform=axes.get_xaxis_transform(), clip_on=False
        )


def _scale(axes: Axes, values: np.ndarray) -> None:
    """A logarithmic scale where the values ask for it, and room for all of them."""
    finite = values[np.isfinite(values)]
    if finite.size and finite.min() > 0 and finite.max() > _STEEP * finite.min():
        axes.set_yscale("log")
    axes.relim()
    axes.autoscale_view()
    if axes.get_yscale() == "linear" and finite.size and finite.min() == finite.max():
        room = abs(finite.max()) * 0.1 or 0.1
        axes.set_ylim(finite.min() - room, finite.max() + room)


def _dress(axes: Axes, title: str, theme: Theme) -> None:
    if axes.get_yscale() == "log":
        title += ", logarithmic"
    axes.set_title(title, color=theme.ink, loc="left")
    axes.set_xlabel("iteration", color=theme.ink)
    axes.set_facecolor(theme.ground)
    axes.tick_params(colors=theme.ink, which="both")
    axes.grid(color=theme.faint, linewidth=0.6)
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(theme.faint)
