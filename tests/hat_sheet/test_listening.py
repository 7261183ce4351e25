"""What a pixel and its carriers listen to is what the network computes with."""

import numpy as np
import pytest
import torch
from support.tiny_hosts import build_host

from mmfastervit import insert_hat
from mmfastervit.hat_sheet.listening import listen
from mmfastervit.hat_sheet.stages import choose_stage, run_to


def listening(network, size, row, column):
    stage = choose_stage(network)
    with torch.no_grad():
        passage = run_to(stage, network, torch.randn(1, 3, *size))
    return listen(stage, passage, row, column), passage.windows.grid


@pytest.mark.parametrize("size", [(224, 336), (160, 272), (129, 130)], ids=str)
def test_shares_sum_to_one(network, size):
    blocks, grid = listening(network, size, 7, 8)
    assert len(blocks) == 2
    for block in blocks:
        assert block.windows.shape == grid.shape
        assert block.windows.sum() == pytest.approx(1, abs=1e-5)
        assert block.even.sum() == pytest.approx(1)
        shares = np.nansum(block.pixels) + np.nansum(block.carriers)
        assert shares == pytest.approx(1, abs=1e-5)
        assert 0 < block.to_carriers < 1


def test_what_is_beyond_the_map_has_no_share(network):
    """A map of 9 x 9 pixels: the windows below and to the right have 2 rows or columns of it."""
    blocks, grid = listening(network, (144, 144), 8, 0)
    assert grid.shape == (2, 2)
    for block in blocks:
        assert np.isfinite(block.pixels[:2]).all()
        assert np.isnan(block.pixels[2:]).all()
        made = block.even / block.even.max()
        # carriers average 5 pixels from 0, 3, 6, 9 on: the last of each axis has none
        assert made == pytest.approx(np.array([[1, 0.5], [0.5, 0.25]]))
        assert np.isfinite(block.carriers).tolist() == [[True, True], [False, False]]


def test_carriers_that_are_alike_are_listened_to_alike(network):
    for block in network.stages[2].blocks:
        torch.nn.init.zeros_(block.carrier.attn.qkv.weight)
        torch.nn.init.zeros_(block.carrier.relative_bias.fc2.weight)
    blocks, grid = listening(network, (224, 336), 3, 3)
    for block in blocks:
        assert block.preference == pytest.approx(np.ones(grid.shape), abs=1e-5)
        assert block.windows_heard == pytest.approx(6, abs=1e-4)


def test_the_windows_are_those_whose_carriers_are_heard(network):
    """Carriers that are drawn to the top left of a 2 x 3 grid of windows."""
    stage = choose_stage(network)
    with torch.no_grad():
        passage = run_to(stage, network, torch.randn(1, 3, 224, 336))
    block = stage.blocks[0]
    torch.nn.init.zeros_(block.carrier.attn.qkv.weight)
    tables = block.tables

    def drawn(windows, tokens):
        given = tables(windows, tokens)
        bias = torch.zeros_like(given.carrier_bias)
        bias[:, :, 4 * 4 : 4 * 5] = 50.0  # the carriers of window (1, 1)
        return given._replace(carrier_bias=bias)

    block.tables = drawn
    heard = listen(stage, passage, 0, 20)[0]
    assert heard.windows[1, 1] == pytest.approx(1)
    assert heard.windows_heard == pytest.approx(1, abs=1e-3)
    assert heard.preference[1, 1] == pytest.approx(6, abs=1e-3)


def test_the_pixel_is_the_one_that_is_asked_for(network):
    """Fresh biases are level, so what a pixel hears differs by its query alone."""
    first, grid = listening(network, (224, 224), 0, 0)
    torch.manual_seed(0)
    other, _ = listening(network, (224, 224), 0, 1)
    assert grid.shape == (2, 2)
    assert not np.allclose(first[0].pixels, other[0].pixels, rtol=1e-4)


@pytest.mark.parametrize("name", ["mmdet-swin", "timm-swin"])
@torch.no_grad()
def test_the_weights_of_a_host_are_those_it_attends_by(name):
    model = build_host(name)
    model.eval()
    insert_hat(model, mode="replace")
    stage = choose_stage(model)
    passage = run_to(stage, model, torch.randn(1, 3, 160, 192))
    for block, (tokens, windows) in zip(stage.blocks, passage.inputs, strict=True):
        bias = block.tables(windows, tokens).window_bias
        weights = block.window.attention_weights(tokens, bias, windows)
        attention = block.window.attention
        normed = block.window.block.norm1(tokens)
        value = windows.gather(attention.qkv(normed).chunk(3, dim=-1)[2])
        value = value.unflatten(-1, (weights.shape[2], -1))
        added = torch.einsum("bghqk,bgkhc->bgqhc", weights, value).flatten(3)
        expected = block.window.attend(normed, bias, windows)
        torch.testing.assert_close(attention.proj(windows.scatter(added)), expected)
