"""Properties of the attention stages: padding, routing, positions."""

import pytest
import torch

from mmfastervit.models.layers import AttentionStage, WindowGrid
from mmfastervit.models.layers.attention import AttentionLayer
from mmfastervit.models.layers.hat import CarrierTokenizer, HATBlock
from mmfastervit.models.layers.positions import AbsolutePosition, RelativeBias
from mmfastervit.models.layers.windows import locate_tokens


def hat_block(has_carriers: bool) -> HATBlock:
    return HATBlock(AttentionLayer(8, 2), AttentionLayer(8, 2) if has_carriers else None)


@pytest.mark.parametrize("has_carriers", [True, False])
@torch.no_grad()
def test_places_without_a_token_cannot_change_an_output(has_carriers):
    block = hat_block(has_carriers).eval()
    windows = locate_tokens(WindowGrid(9, 16, 7, 2 if has_carriers else 0))
    x = torch.randn(2, 24 * has_carriers + 9 * 16, 8)
    padding = torch.ones(6 * (4 * has_carriers + 49), dtype=torch.bool)
    padding[windows.places] = False
    assert padding.any()
    others = windows.tokens.masked_fill(padding, x.shape[1] - 1)  # what stands there is arbitrary
    assert not torch.equal(others, windows.tokens)
    assert torch.equal(block(x, windows), block(x, windows._replace(tokens=others)))


@torch.no_grad()
def test_hidden_carriers_cannot_change_a_valid_output():
    block = hat_block(has_carriers=True).eval()
    grid = WindowGrid(8, 8, 7, 2)  # the second row and column of windows hold one pixel each
    seen = locate_tokens(grid).visible[:, :4].flatten()
    assert not seen.all()
    x = torch.randn(1, 4 * 4 + 64, 8)
    soiled = x.clone()
    soiled[:, :16][:, ~seen] = 1e3
    seen = torch.cat((seen, torch.ones(64, dtype=torch.bool)))
    clean, actual = (block(tokens, locate_tokens(grid))[:, seen] for tokens in (x, soiled))
    assert torch.equal(clean, actual)


@torch.no_grad()
def test_a_window_attends_to_its_own_pixels_only():
    """One block without carriers equals the layer run on each window cut out."""
    block = hat_block(has_carriers=False).eval()
    image = torch.randn(1, 10, 17, 8)
    actual = block(image.flatten(1, 2), locate_tokens(WindowGrid(10, 17, 7))).view_as(image)
    whole = WindowGrid(7, 7, 7)
    expected = block(image[:, :7, 7:14].reshape(1, 49, 8), locate_tokens(whole))
    torch.testing.assert_close(actual[:, :7, 7:14].reshape(1, 49, 8), expected)


@pytest.mark.parametrize("size", [(21, 35), (35, 21), (14, 14), (20, 33), (7, 70)], ids=str)
@torch.no_grad()
def test_carriers_stand_with_the_window_they_pool_from(size):
    """On every grid, 3 x 5 windows included, where the reference sends most carriers astray."""
    grid = WindowGrid(*size, 7, 2)
    window_rows = (torch.arange(size[0]) // 7)[:, None].expand(size)
    window_columns = (torch.arange(size[1]) // 7).expand(size)
    tokenizer = CarrierTokenizer(2)
    torch.nn.init.dirac_(tokenizer.conv.weight, groups=2)
    torch.nn.init.zeros_(tokenizer.conv.bias)
    image = torch.stack((window_rows, window_columns))[None].float()
    carriers = tokenizer(image, locate_tokens(grid))[0]
    carriers = carriers.unflatten(0, (-1, 4))
    own = torch.cartesian_prod(*(torch.arange(n) for n in grid.shape))[:, None]
    # a kernel of 5 pixels lies in its window but for one pixel at most
    assert (carriers - own).abs().max() <= 0.2001


def influence(stage: AttentionStage, size: tuple[int, int], pixel: tuple[int, int]):
    """Which pixels of the input change the output at ``pixel``."""
    x = torch.randn(1, 8, *size, requires_grad=True)
    stage(x)[0, :, pixel[0], pixel[1]].square().sum().backward()
    return x.grad[0].abs().sum(0) > 0


def test_carriers_let_every_pixel_hear_every_other():
    without = influence(AttentionStage(8, 1, 2, window=7), (14, 21), (0, 0))
    assert without[:7, :7].all()
    assert not without[7:].any()
    with_carriers = influence(AttentionStage(8, 1, 2, window=7, carrier_size=2), (14, 21), (0, 0))
    assert with_carriers.all()


@pytest.mark.parametrize("grid", [(6, 10), (2, 2), (4, 4), (2, 26)], ids=str)
@torch.no_grad()
def test_every_carrier_has_its_own_position_and_bias(grid):
    positions = AbsolutePosition(4)(*grid, window=2)
    assert positions.shape == (grid[0] * grid[1], 4)
    assert len(positions.unique(dim=0)) == len(positions)
    bias = RelativeBias(1)(*grid, window=2)[0]
    offsets = (2 * grid[0] - 1) * (2 * grid[1] - 1)
    assert len(bias.unique()) == offsets  # one value for each offset between two carriers


@torch.no_grad()
def test_bias_depends_on_the_offset_between_query_and_key():
    """Checked cell by cell on a rectangular grid, rows and columns apart."""
    module = RelativeBias(2)
    bias = module(3, 5, window=1).view(2, 3, 5, 3, 5)
    for y, x, v, u in ((0, 0, 2, 4), (2, 1, 0, 3), (1, 4, 1, 0)):
        offset = torch.tensor([(y - v) / 2, (x - u) / 4]) * 8
        scaled = offset.sign() * torch.log2(offset.abs() + 1) / 3
        hidden = torch.relu(module.fc1.weight @ scaled + module.fc1.bias)
        expected = 16 * torch.sigmoid(module.fc2.weight @ hidden)
        torch.testing.assert_close(bias[:, y, x, v, u], expected)


@torch.no_grad()
def test_positions_of_a_single_cell_are_the_origin():
    module = AbsolutePosition(3)
    assert torch.equal(module(1, 1, window=1)[0], module.fc2(torch.relu(module.fc1.bias)))
    assert RelativeBias(1)(1, 1, window=1).isfinite().all()


def test_indices_kept_in_inference_mode_serve_training():
    stage = AttentionStage(8, 1, 2, window=7, carrier_size=2)
    x = torch.randn(1, 8, 9, 16)
    with torch.inference_mode():
        expected = stage(x)
    actual = stage(x)
    actual.sum().backward()
    torch.testing.assert_close(actual, expected)
    assert len(stage.shelf.cache) == 1
    stage.double()
    assert len(stage.shelf.cache) == 0


@pytest.mark.parametrize("carrier_size", [0, 2])
@pytest.mark.parametrize("size", [(14, 21), (9, 16)], ids=["whole", "padded"])
@torch.no_grad()
def test_attention_weights_are_those_by_which_values_are_added_up(carrier_size, size):
    block = hat_block(has_carriers=carrier_size > 0).double().eval()
    windows = locate_tokens(WindowGrid(*size, 7, carrier_size))
    x = torch.randn(2, windows.grid.num_carriers + size[0] * size[1], 8).double()
    weights = block.attention_weights(x, windows)
    tables = block.tables(windows, x)
    tokens = x.clone()
    tokens[:, windows.grid.num_carriers :] += tables.window_position[windows.inside]
    if carrier_size:
        carriers = tokens[:, : windows.grid.num_carriers] + tables.carrier_position
        layer = block.carrier
        value = layer.attn.qkv(layer.norm1(carriers))[..., 16:].unflatten(-1, (2, 4))
        added = torch.einsum("bhqk,bkhc->bqhc", weights.carriers, value).flatten(2)
        torch.testing.assert_close(
            layer.attn.proj(added), layer.attn(layer.norm1(carriers), tables.carrier_bias)
        )
        torch.testing.assert_close(
            weights.carriers.sum(-1), torch.ones(2, 2, carriers.shape[1]).double()
        )
        tokens[:, : windows.grid.num_carriers] = layer(carriers, tables.carrier_bias)
    layer = block.window
    normed = layer.norm1(tokens)
    value = windows.gather(layer.attn.qkv(normed)[..., 16:]).unflatten(-1, (2, 4))
    added = torch.einsum("bghqk,bgkhc->bgqhc", weights.windows, value).flatten(3)
    torch.testing.assert_close(
        layer.attn.proj(windows.scatter(added)), layer.attn(normed, tables.window_bias, windows)
    )
    if windows.visible is not None:
        assert not weights.windows[
            (~windows.visible)[None, :, None, None].expand_as(weights.windows)
        ].any()
