"""The sheet says what was measured, and nothing on it is cut off or lies over something else."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from support.opened import picture

from mmfastervit.hat_sheet import draw_sheet, measure_network
from mmfastervit.hat_sheet.cam import Cam, View
from mmfastervit.hat_sheet.layout import Scale
from mmfastervit.hat_sheet.measuring import Measured
from mmfastervit.hat_sheet.page import text_width, wrap


def measured(network, size, point, **options) -> Measured:
    width, height = size
    image = torch.randn(1, 3, height, width)
    options = dict(name="tiny", is_trained=True, copies=1) | options
    return measure_network(
        network, network, image, picture(size), Scale(width, height), point, **options
    )


def texts(figure: Figure) -> list:
    """Every text on the page and on its axes, drawn."""
    FigureCanvasAgg(figure).draw()
    inside = [text for axes in figure.axes for text in (*axes.get_xticklabels(), axes.xaxis.label)]
    return [text for text in (*figure.texts, *inside) if text.get_text() and text.get_visible()]


def words(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.texts)


def with_cam(of: Measured) -> Measured:
    heat = np.linspace(0, 1, of.picture[:, :, 0].size).reshape(of.picture.shape[:2])
    views = (
        *(View(f"map {i} of the backbone", "8 x 8", heat) for i in range(4)),
        View("x", "", None),
    )
    return replace(of, cam=Cam("a long target of which much has to be said in words " * 2, views))


@pytest.mark.parametrize(
    ("size", "theme"), [((128, 128), "light"), ((640, 128), "dark"), ((100, 400), "light")]
)
def test_no_text_is_cut_off_or_lies_over_another(network, size, theme):
    of = measured(network, size, (size[0] / 2, size[1] / 3), is_trained=False, name="a_name_" * 30)
    figure = draw_sheet(with_cam(of), theme)
    page = figure.bbox
    drawn = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    for text, box in drawn:
        assert page.x0 <= box.x0, text
        assert box.x1 <= page.x1, text
        assert page.y0 <= box.y0, text
        assert box.y1 <= page.y1, text
    for (one, a), (other, b) in combinations(drawn, 2):
        overlap = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(overlap) < 2, (one, other)  # lines may touch by descenders


def test_panels_do_not_overlap(network):
    figure = draw_sheet(with_cam(measured(network, (160, 128), (3, 3))))
    boxes = [axes.get_position() for axes in figure.axes]
    for a, b in combinations(boxes, 2):
        assert min(min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)) < 1e-6


def test_random_weights_are_told(network):
    of = measured(network, (128, 128), (1, 1))
    assert "RANDOM WEIGHTS" not in words(draw_sheet(of))
    assert "RANDOM WEIGHTS" in words(draw_sheet(replace(of, is_trained=False)))
    assert of.summary().startswith("stages.2, 2 blocks;")
    assert replace(of, is_trained=False).summary().startswith("random weights: stages.2")


def test_a_single_window_is_told(network):
    told = words(draw_sheet(measured(network, (112, 112), (1, 1))))
    assert "The map fits into one window" in told
    assert "The map fits into one window" not in words(
        draw_sheet(measured(network, (128, 112), (1, 1)))
    )


def test_a_gate_that_is_shut_is_told(network):
    of = measured(network, (128, 128), (1, 1))
    assert "gate" not in words(draw_sheet(of))
    assert "The gate of this HAT is 0" in words(draw_sheet(replace(of, gate=0.0)))


def test_figures_on_the_sheet_are_the_measured_ones(network):
    of = measured(network, (256, 128), (200, 20))
    told = words(draw_sheet(of))
    heard, deaf = of.reach(of.heard), of.reach(of.deaf)
    assert heard.outside > deaf.outside
    for reach in (heard, deaf):
        assert f"{reach.windows} of 6 windows take part" in told
    assert f"{100 * of.blocks[0].to_carriers:.1f} % to carriers" in told
    assert "point (200, 20)" in told


def test_a_reach_counts_in_pixels_of_the_picture(network):
    """The same image, of a picture twice as large."""
    image = torch.randn(1, 3, 128, 160)
    options = dict(name="tiny", is_trained=True, copies=1)
    small = measure_network(
        network, network, image, picture((160, 128)), Scale(160, 128), (40, 50), **options
    )
    large = measure_network(
        network,
        network,
        image,
        picture((320, 256)),
        Scale(320, 256, 0.5, 0.5),
        (80, 100),
        **options,
    )
    one, other = small.reach(small.heard), large.reach(large.heard)
    assert other.half == pytest.approx(2 * one.half)
    assert other.most == pytest.approx(2 * one.most)
    assert (other.outside, other.windows) == pytest.approx((one.outside, one.windows))


def test_a_point_beside_the_picture_is_told_with_its_size(network):
    with pytest.raises(ValueError, match="128 pixels wide and 96 high"):
        measured(network, (128, 96), (128, 5))


def test_an_unknown_theme_is_an_error(network):
    with pytest.raises(ValueError, match="light, dark"):
        draw_sheet(measured(network, (128, 128), (1, 1)), "blue")


def test_lines_are_wrapped_at_their_width():
    lines = wrap("some words of different length and " + "a" * 60, 1.0, 9)
    assert all(text_width(line, 9) <= 1.0 for line in lines)
    assert "".join(lines).replace(" ", "") == "somewordsofdifferentlengthand" + "a" * 60
