"""Windows and carriers lie on the picture where the network has them."""

import numpy as np
import pytest
import torch

from mmfastervit.hat_sheet.layout import Scale, lay_out, stride_of
from mmfastervit.models.layers import WindowGrid
from mmfastervit.models.layers.windows import locate_tokens


def test_windows_of_a_picture_that_was_halved_and_padded():
    """200 x 300 pixels, halved to 100 x 150, padded to 128 x 160, a map of stride 16."""
    windows = locate_tokens(WindowGrid(8, 10, 7, 2))
    layout = lay_out(windows, torch.zeros(1, 3, 128, 160), Scale(300, 200, 0.5, 0.5), (250, 199))
    assert layout.stride == (32, 32)
    assert layout.rows.tolist() == [0, 200, 200]  # the second row of windows is all padding
    assert layout.columns.tolist() == [0, 224, 300]
    assert layout.shown.tolist() == [[True, True], [False, False]]
    assert layout.pixel == (6, 7)
    assert layout.own == (0, 1)


def test_carriers_lie_on_what_they_average():
    """On two windows of 7 the kernels of 5 pixels begin at 0, 3, 6 and 9."""
    windows = locate_tokens(WindowGrid(14, 14, 7, 2))
    layout = lay_out(windows, torch.zeros(1, 3, 224, 224), Scale(224, 224), (0, 0))
    expected = np.array([[0, 5], [3, 8], [6, 11], [9, 14]]) * 16
    assert np.array_equal(layout.carrier_rows, expected)
    assert np.array_equal(layout.carrier_columns, expected)


def test_a_carrier_without_pixels_takes_no_room():
    windows = locate_tokens(WindowGrid(8, 14, 7, 2))
    layout = lay_out(windows, torch.zeros(1, 3, 128, 224), Scale(224, 128), (0, 0))
    assert np.ptp(layout.carrier_rows, axis=1).tolist() == [80, 80, 32, 0]


def test_the_last_pixel_of_a_picture_is_on_the_map():
    windows = locate_tokens(WindowGrid(3, 3, 7, 2))
    layout = lay_out(windows, torch.zeros(1, 3, 33, 33), Scale(33, 33), (32.9, 32.9))
    assert layout.pixel == (2, 2)
    assert layout.rows.tolist() == [0, 33]


@pytest.mark.parametrize(
    ("image", "cells", "stride"),
    [
        ((224, 224), (14, 14), (16, 16)),
        ((33, 33), (3, 3), (16, 16)),
        ((800, 1333), (50, 84), (16, 16)),
        ((100, 100), (30, 25), (100 / 30, 4)),
    ],
)
def test_strides(image, cells, stride):
    assert stride_of(image, cells) == pytest.approx(stride)
