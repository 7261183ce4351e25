"""Figures of curves: both files whole, every run told apart, nothing lost of odd values."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmfastervit.run_reports.colours import DASHES, MARKS, THEMES, theme
from mmfastervit.run_reports.drawing import draw_curves, save_figure
from mmfastervit.run_reports.logs import Curve
from mmfastervit.run_reports.panels import MOST_RUNS, Panel


def curve(*values: float) -> Curve:
    return Curve(np.arange(1, len(values) + 1), np.array(values, dtype=float))


def panel(*curves: Curve | None, name: str = "loss", is_metric: bool = False) -> Panel:
    return Panel(name, name, curves, is_metric)


def contrast(one: str, other: str) -> float:
    """The ratio of two colours' luminances, as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [value / 255 for value in bytes.fromhex(colour[1:])]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", THEMES)
def test_a_figure_is_written_as_png_and_svg(tmp_path: Path, name):
    figure = draw_curves([panel(curve(3, 2, 1), curve(2, 2, 2))], ["a", "b"], theme(name))
    png, svg = save_figure(figure, tmp_path, "curves")
    with Image.open(png) as image:
        assert image.convert("RGB").getpixel((0, 0)) == tuple(bytes.fromhex(theme(name).ground[1:]))
    assert svg.read_text().count("<svg") == 1
    assert sorted(tmp_path.iterdir()) == [png, svg]


def test_the_same_figure_is_the_same_file(tmp_path: Path):
    texts = []
    for stem in ("one", "two"):
        figure = draw_curves([panel(curve(3, 2, 1))], ["a"], theme("light"))
        texts.append(save_figure(figure, tmp_path, stem)[1].read_text())
    assert texts[0] == texts[1]


@pytest.mark.parametrize("name", THEMES)
def test_lines_are_told_apart_without_their_colours_and_seen_on_their_ground(name):
    assert len(set(DASHES)) == len(set(MARKS)) == len(set(theme(name).lines)) == MOST_RUNS
    assert all(contrast(colour, theme(name).ground) > 2 for colour in theme(name).lines)
    assert contrast(theme(name).ink, theme(name).ground) > 7


def test_a_gap_stays_a_gap_and_is_marked():
    figure = draw_curves([panel(curve(3, math.nan, math.inf, 2))], ["a"], theme("light"))
    line, *crosses = figure.axes[0].lines
    assert np.isnan(line.get_ydata()[1:3]).all()
    assert [cross.get_xdata()[0] for cross in crosses] == [2, 3]


def test_smoothing_is_said_and_keeps_what_was_logged():
    panels = [panel(curve(4, 2, 0)), panel(curve(4, 2, 0), name="mAP", is_metric=True)]
    figure = draw_curves(panels, ["a"], theme("light"), smooth=2)
    loss, metric = figure.axes
    assert "mean of 2 logged lines" in loss.get_title("left")
    assert [list(line.get_ydata()) for line in loss.lines] == [[4, 2, 0], [4, 3, 1]]
    assert metric.get_title("left") == "mAP"
    assert list(metric.lines[0].get_ydata()) == [4, 2, 0]


def test_a_steep_loss_is_drawn_on_a_logarithmic_scale_that_is_said():
    figure = draw_curves([panel(curve(500, 5, 1)), panel(curve(5, 4, 0))], ["a"], theme("light"))
    steep, level = figure.axes
    assert steep.get_yscale() == "log"
    assert "logarithmic" in steep.get_title("left")
    assert level.get_yscale() == "linear"


def test_all_panels_go_as_far_as_the_longest_curve():
    panels = [panel(curve(3, 2, 1), None), panel(None, curve(3, 2))]
    figure = draw_curves(panels, ["a", "b"], theme("light"))
    assert [axes.get_xlim() for axes in figure.axes] == [(0, pytest.approx(3.06))] * 2
    figure.draw_without_rendering()
    for axes in figure.axes:  # there is no half an iteration
        assert all(tick == int(tick) for tick in axes.get_xticks())


@pytest.mark.parametrize("values", [(1.0,), (0.0, 0.0), (math.nan,)])
def test_single_constant_and_no_values_are_drawn(tmp_path: Path, values):
    figure = draw_curves([panel(curve(*values), None)], ["a", "b"], theme("dark"))
    assert all(file.stat().st_size for file in save_figure(figure, tmp_path, "curves"))


def test_long_names_of_many_runs_stay_inside_the_figure():
    names = [f"work_dirs/{'long_' * 30}{number}" for number in range(MOST_RUNS)]
    figure = draw_curves([panel(*[curve(1, 2)] * MOST_RUNS)], names, theme("light"))
    figure.canvas.draw()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.bbox.y1
    assert box.y0 >= figure.axes[0].get_window_extent().y1
