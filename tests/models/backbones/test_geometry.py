"""Any image size: what must hold on every grid of windows and carriers.

The architectures keep their channels, heads, windows and options; two blocks of hierarchical
attention and one of every other kind stand for the rest, which are built alike.
"""

import copy
import math
from dataclasses import asdict

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from torch import nn

from mmfastervit import FasterViT
from mmfastervit.archs import ARCHS

SMALL = [(224, 224), (37, 501), (1, 1), (33, 225)]
LARGER = [(400, 608), (608, 400), (800, 1216), (1216, 800)]
NAMES = ["fastervit_0", "fastervit_3", "fastervit_4_21k_224"]
WIDEST = NAMES[-1]


@pytest.fixture(params=[*NAMES[:-1], pytest.param(WIDEST, marks=pytest.mark.slow)])
def arch(request) -> dict:
    return shortened(request.param)


def shortened(name: str) -> dict:
    return {**asdict(ARCHS[name]), "depths": (1, 1, 2, 1)}


def each(values: list, slow: list) -> list:
    """Every architecture with every value; the ``slow`` ones of large models in ``make test-all``.

    The narrowest model takes a few more of them in ``make test``, the others fewer values.
    """
    rare = {NAMES[0]: slow[2:], NAMES[1]: [*values[2:], *slow], WIDEST: [*values[1:], *slow]}
    return [
        pytest.param(
            shortened(name),
            value,
            id=f"{name}-{value}",
            marks=[pytest.mark.slow] if value in rare[name] else [],
        )
        for name in NAMES
        for value in (*values, *slow)
    ]


def build(arch, **options) -> FasterViT:
    """A model without stochastic depth, in eval, no branch of it hidden by a small scale."""
    model = FasterViT(arch, drop_path_rate=0.0, **options).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:  # scales, norms, biases
                parameter.add_(torch.randn_like(parameter), alpha=0.2)
            elif ".fc" in name:  # positions and MLPs: no place like another
                parameter.mul_(5)
    return model


def transpose_weights(model: FasterViT) -> None:
    """Exchange rows and columns in all that knows them: kernels and coordinates."""
    for name, parameter in model.named_parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.transpose(2, 3).contiguous()
        elif name.endswith(("position.fc1.weight", "relative_bias.fc1.weight")):
            parameter.data = parameter.data.flip(1)
    model.train().eval()  # forget the tables


def assert_near(actual, expected, tolerance: float = 1e-4) -> None:
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize(("arch", "size"), each(SMALL, LARGER))
@torch.no_grad()
def test_maps_have_published_channels_and_strides_at_any_size(arch, size):
    model = build(arch)
    layout = {name: value.shape for name, value in model.state_dict().items()}
    maps = model(torch.randn(1, 3, *size))
    for x, channels, stride in zip(maps, model.out_channels, model.out_strides, strict=True):
        assert x.shape == (1, channels, math.ceil(size[0] / stride), math.ceil(size[1] / stride))
        assert x.is_contiguous()  # mmcv's RoIAlign misreads anything else
        assert x.isfinite().all()
    assert {name: value.shape for name, value in model.state_dict().items()} == layout


@pytest.mark.parametrize(("arch", "size"), each(SMALL, LARGER))
@torch.no_grad()
def test_transposing_image_and_weights_transposes_the_maps(arch, size):
    """Nothing prefers an axis, so rectangular grids are routed, biased and pooled rightly."""
    model = build(arch, out_norm=None)
    images = torch.randn(1, 3, *size)
    maps = model(images)
    transpose_weights(model)
    for turned, upright in zip(model(images.transpose(2, 3)), maps, strict=True):
        assert_near(turned.transpose(2, 3), upright)


@torch.no_grad()
def test_transposing_the_image_alone_changes_the_maps(arch):
    """The weights of the test above do tell rows from columns."""
    model = build(arch, out_norm=None)
    images = torch.randn(1, 3, 90, 350)
    for turned, upright in zip(model(images.transpose(2, 3)), model(images), strict=True):
        assert (turned.transpose(2, 3) - upright).abs().max() > 0.01 * upright.abs().max()


@pytest.mark.parametrize(("arch", "size"), each(SMALL, []))
@torch.no_grad()
def test_batch_of_two_equals_two_singles(arch, size):
    model = build(arch)
    images = torch.randn(2, 3, *size)
    for both, first, second in zip(
        model(images), model(images[:1]), model(images[1:]), strict=True
    ):
        assert_near(both, torch.cat((first, second)))


@torch.no_grad()
def test_outputs_do_not_depend_on_sizes_seen_before(arch):
    model = build(arch)
    images = torch.randn(1, 3, 100, 150)
    fresh = copy.deepcopy(model)(images)
    for size in SMALL:
        model(torch.randn(1, 3, *size))
    assert all(torch.equal(a, b) for a, b in zip(fresh, model(images), strict=True))


@pytest.mark.parametrize(
    ("arch", "out_indices"), each([(0, 1, 2, 3), (3,), (1, 2, 3), (2,), (0,)], [])
)
def test_every_parameter_gets_a_gradient(arch, out_indices):
    model = build(arch, out_indices=out_indices).train()
    sum(x.square().mean() for x in model(torch.randn(2, 3, 130, 270))).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_deepcopy_and_ema_work_after_a_training_step(arch):
    model = build(arch).train()
    averaged = ExponentialMovingAverage(model, momentum=0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = copy.deepcopy(model.state_dict())
    sum(x.square().mean() for x in model(torch.randn(2, 3, 64, 96))).backward()
    optimizer.step()
    averaged.update_parameters(model)  # the first copies
    optimizer.step()
    averaged.update_parameters(model)
    clone = copy.deepcopy(model)
    after = model.state_dict()
    name = "stages.2.blocks.0.window.attn.qkv.weight"
    assert not torch.equal(before[name], after[name])
    assert torch.equal(clone.state_dict()[name], after[name])
    assert not torch.equal(averaged.module.state_dict()[name], after[name])
    images = torch.randn(1, 3, 96, 64)
    for a, b in zip(clone.eval()(images), model.eval()(images), strict=True):
        assert torch.equal(a, b)


def test_kernels_and_coordinates_are_all_that_knows_an_axis(arch):
    """What `transpose_weights` turns is complete: every other weight is a vector or a matrix."""
    model = build(arch)
    turned = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    kernels = [p for p in model.parameters() if p.ndim > 2]
    assert len(turned) == len(kernels)
