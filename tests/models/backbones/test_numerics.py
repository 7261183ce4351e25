"""Half precision stays near full precision, and what is not a number stays where it is."""

from dataclasses import asdict

import pytest
import torch

from mmfastervit import FasterViT, HATPlugin
from mmfastervit.archs import ARCHS

# Of the largest value of a map, with drawn weights: at most 0.0206 and 0.0031 (FasterViT-1) were
# measured (two cores with AVX2, torch 2.12, November 2026).
BOUNDS = {torch.bfloat16: 0.04, torch.float16: 0.005}
WHOLE = ("fastervit_0", "fastervit_1", "fastervit_2")  # others in few blocks


def build(name: str) -> FasterViT:
    arch = asdict(ARCHS[name])
    if name not in WHOLE:
        arch["depths"] = (1, 1, 2, 1)
    return FasterViT(arch).eval()


def some(name: str, *quick: str):
    """Parametrize ``name`` by all architectures, of which those not in ``quick`` are slow."""
    slow = {one: () if one in quick else pytest.mark.slow for one in ARCHS}
    return pytest.mark.parametrize(name, [pytest.param(o, marks=slow[o]) for o in ARCHS])


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@some("name", *WHOLE, "fastervit_3")
@torch.no_grad()
def test_maps_under_autocast_are_finite_near_and_of_one_dtype(name, dtype):
    model = build(name)
    images = torch.randn(1, 3, 128, 192)
    expected = model(images)
    with torch.autocast("cpu", dtype):
        maps = model(images)
    assert {one.dtype for one in maps} == {dtype}
    for half, whole in zip(maps, expected, strict=True):
        assert half.isfinite().all()
        difference = (half.float() - whole).abs().max() / whole.abs().max()
        assert difference < BOUNDS[dtype]


@some("name", "fastervit_0")
def test_gradients_under_autocast_are_finite(name):
    model = build(name).train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = sum(one.float().square().mean() for one in model(torch.randn(2, 3, 64, 96)))
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("size", [(224, 224), (100, 300), (33, 40)], ids=str)
@torch.no_grad()
def test_a_pixel_that_is_not_a_number_stays_in_its_image(size, tiny_arch):
    model = FasterViT(tiny_arch).eval()
    images = torch.randn(3, 3, *size)
    expected = model(images)
    images[1, 0, size[0] // 2, size[1] // 2] = torch.nan
    for spoilt, whole in zip(model(images), expected, strict=True):
        assert spoilt[1].isnan().any()
        torch.testing.assert_close(spoilt[[0, 2]], whole[[0, 2]])


@torch.no_grad()
def test_a_value_that_is_not_a_number_stays_in_its_image_in_the_plugin():
    plugin = HATPlugin(32, depth=2).eval()
    torch.nn.init.constant_(plugin.gate, 0.5)
    maps = torch.randn(3, 32, 20, 30)
    expected = plugin(maps)
    maps[1, 0, 10, 10] = torch.nan
    spoilt = plugin(maps)
    assert spoilt[1].isnan().any()
    torch.testing.assert_close(spoilt[[0, 2]], expected[[0, 2]])
