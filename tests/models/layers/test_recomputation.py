"""A stem that is recomputed, and recomputes its first half once more, is the plain one."""

import copy

import pytest
import torch

from mmfastervit.bench.measure import peak_memory
from mmfastervit.models.layers.conv import Stem
from mmfastervit.models.layers.recomputation import run_block


def step(stem: Stem, images: torch.Tensor, with_cp: bool) -> None:
    run_block(stem, images, with_cp=with_cp).square().mean().backward()


@pytest.fixture
def stem() -> Stem:
    return Stem(3, 16, 16, dict(type="BN"), with_cp=True)


def test_weights_learn_and_statistics_count_as_without(stem):
    plain = copy.deepcopy(stem)
    plain.with_cp = False
    images = torch.randn(2, 3, 40, 56)
    for _ in range(2):
        step(stem, images, with_cp=True)
        step(plain, images, with_cp=False)
    for actual, expected in zip(stem.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(actual.grad, expected.grad)
    torch.testing.assert_close(stem.state_dict(), plain.state_dict())
    assert stem.norm1.num_batches_tracked == 2


def test_the_large_maps_of_a_stem_are_not_all_kept(stem):
    images = torch.randn(2, 3, 128, 128)
    large = 2 * 16 * 64 * 64 * 4 / 2**20  # a map between the convolutions, in MiB
    twice = peak_memory(lambda: lambda: step(stem, images, with_cp=True))
    stem.with_cp = False
    once = peak_memory(lambda: lambda: step(stem, images, with_cp=True))
    assert twice <= once - 0.9 * large
