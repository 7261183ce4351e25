"""A stem that was trained on images of other channels fits those of the model."""

import pytest
import torch

from mmfastervit import FasterViT
from mmfastervit.checkpoint import load_backbone
from mmfastervit.checkpoint.stem import STEM, adapt_stem


@pytest.fixture
def saved(tiny_arch, tmp_path):
    model = FasterViT(tiny_arch).eval()
    path = tmp_path / "rgb.pth"
    torch.save(model.state_dict(), path)
    return model, path


def load(saved, tiny_arch, channels: int) -> FasterViT:
    model = FasterViT(tiny_arch, in_channels=channels).eval()
    load_backbone(model, saved[1], adapt_channels=True)
    return model


@torch.no_grad()
def test_one_channel_gives_what_three_equal_ones_gave(saved, tiny_arch):
    grey = torch.randn(1, 1, 64, 64)
    expected = saved[0](grey.expand(-1, 3, -1, -1))
    for ours, theirs in zip(load(saved, tiny_arch, 1)(grey), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("channels", [2, 4, 6, 13])
@torch.no_grad()
def test_other_channels_take_turns_and_responses_keep_their_size(channels, saved, tiny_arch):
    model = load(saved, tiny_arch, channels)
    old = saved[0].state_dict()[STEM]
    new = model.state_dict()[STEM]
    assert new.shape[1] == channels
    for i in range(channels):
        torch.testing.assert_close(new[:, i], old[:, i % 3] * 3 / channels)
    if channels == 6:
        images = torch.randn(1, 3, 64, 64)
        for ours, theirs in zip(model(images.repeat(1, 2, 1, 1)), saved[0](images), strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_without_being_asked_the_error_names_the_channels_and_the_way(saved, tiny_arch):
    model = FasterViT(tiny_arch, in_channels=4)
    with pytest.raises(ValueError, match=r"3 channels.*in_channels is 4.*adapt_channels=True"):
        load_backbone(model, saved[1])


def test_the_config_asks_for_it(saved, tiny_arch):
    init = dict(type="Pretrained", checkpoint=str(saved[1]), adapt_channels=True)
    model = FasterViT(tiny_arch, in_channels=1, init_cfg=init)
    model.init_weights()
    expected = saved[0].state_dict()[STEM].sum(1, keepdim=True)
    torch.testing.assert_close(model.state_dict()[STEM], expected)


def test_a_stem_that_fits_is_left_and_the_weights_are_not_changed():
    weights = {STEM: torch.randn(4, 3, 3, 3)}
    assert adapt_stem(weights, 3)[STEM] is weights[STEM]
    adapt_stem(weights, 1)
    assert weights[STEM].shape[1] == 3
