"""Properties of the window layout."""

import pytest
import torch

from mmfastervit.models.layers.windows import (
    WindowGrid,
    carrier_key_mask,
    carrier_pooling,
    locate_tokens,
    partition,
    window_key_mask,
    window_order,
)

SIZES = [(14, 14), (1, 1), (7, 21), (50, 76), (13, 8)]


@pytest.mark.parametrize("carrier_size", [0, 1, 2, 3])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_scattering_undoes_gathering(size, carrier_size):
    windows = locate_tokens(WindowGrid(*size, 7, carrier_size))
    tokens = torch.randn(2, windows.grid.num_carriers + size[0] * size[1], 3)
    gathered = windows.gather(tokens)
    assert gathered.shape == (2, windows.grid.num_windows, carrier_size**2 + 49, 3)
    assert torch.equal(windows.scatter(gathered), tokens)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_windows_hold_their_carriers_and_their_pixels(size):
    grid = WindowGrid(*size, 7, 2)
    windows = locate_tokens(grid)
    carriers = torch.randn(2, grid.num_carriers, 3)
    image = torch.randn(2, *size, 3)
    gathered = windows.gather(torch.cat((carriers, image.flatten(1, 2)), dim=1))
    assert torch.equal(gathered[:, :, :4].flatten(1, 2), carriers)
    seen = window_key_mask(grid)
    assert torch.equal(gathered[:, :, 4:][:, seen], partition(image, 7)[:, seen])


def test_partition_pads_with_zeros():
    windows = partition(torch.ones(1, 9, 5, 2), 4)
    assert windows.shape == (1, 6, 16, 2)
    assert windows.sum() == 9 * 5 * 2


def test_partition_keeps_neighbours_together():
    rows, columns = torch.meshgrid(torch.arange(8), torch.arange(12), indexing="ij")
    windows = partition(torch.stack((rows, columns), -1)[None], 4)[0]
    assert torch.equal(windows[5] // 4, torch.tensor([[1, 2]]).expand(16, 2))
    assert torch.equal(windows[5][6], torch.tensor([5, 10]))
    assert torch.equal(torch.stack(window_order(8, 12, 4), -1), windows.flatten(0, 1))


def test_key_mask_marks_the_pixels_of_the_map():
    mask = window_key_mask(WindowGrid(9, 5, 4))
    assert mask.shape == (6, 16)
    assert mask.sum() == 45
    assert torch.equal(mask, partition(torch.ones(1, 9, 5, 1), 4)[0, ..., 0].bool())


def test_pooling_equals_the_reference_at_two_windows():
    """Kernel 5, stride 3, as average pooling of a 14-pixel axis."""
    x = torch.randn(1, 1, 14)
    expected = torch.nn.functional.avg_pool1d(x, 5, 3)
    torch.testing.assert_close(x[0] @ carrier_pooling(14, 7, 2).t(), expected[0])


@pytest.mark.parametrize("window", [7, 8, 12])
@pytest.mark.parametrize("num_windows", [1, 2, 3, 7, 40])
def test_carriers_pool_from_their_window_to_within_a_pixel(window, num_windows):
    """The kernel overhangs its window by no more than the reference does, on any grid."""
    matrix = carrier_pooling(window * num_windows, window, 2)
    for carrier, weights in enumerate(matrix):
        covered = weights.nonzero().flatten()
        first = carrier // 2 * window
        assert covered.min() >= first - 2
        assert covered.max() <= first + window + 1
        centre = (covered.min() + covered.max()) / 2 + 0.5
        own_half = first + window * (0.25 + 0.5 * (carrier % 2))
        assert abs(centre - own_half) <= 1.25
    assert matrix[0, 0] > 0
    assert matrix[-1, -1] > 0


@pytest.mark.parametrize("length", [1, 3, 6, 8, 10, 50, 76])
def test_pooling_averages_pixels_of_the_map_only(length):
    matrix = carrier_pooling(length, 7, 2)
    assert matrix.shape == (-(-length // 7) * 2, length)
    sums = matrix.sum(1)
    assert ((sums - 1).abs() < 1e-6).logical_or(sums == 0).all()
    assert (matrix > 0).any(0).all()  # every pixel is heard


@pytest.mark.parametrize("size", [(1, 1), (8, 15), (50, 76)], ids=str)
def test_every_window_has_a_visible_carrier(size):
    mask = carrier_key_mask(*(carrier_pooling(length, 7, 2) for length in size), 2)
    assert mask.shape == (WindowGrid(*size, 7).shape[0] * WindowGrid(*size, 7).shape[1], 4)
    assert mask.any(1).all()


def test_nearest_carriers_are_those_of_nearest_upsampling():
    carriers = torch.arange(4.0)
    nearest = locate_tokens(WindowGrid(7, 7, 7, 2)).nearest
    expected = torch.nn.functional.interpolate(carriers.view(1, 1, 2, 2), size=7, mode="nearest")
    assert torch.equal(carriers[nearest], expected.flatten())
