"""A receptive field is what the network depends on, and cutting carriers leaves no trace."""

import numpy as np
import pytest
import torch

from mmfastervit.hat_sheet.field import Field, measure_field, without_carriers
from mmfastervit.hat_sheet.stages import choose_stage, run_to
from mmfastervit.models.layers import AttentionStage


@pytest.fixture
def alone():
    """Attention without the convolutions before it: windows of 7 x 7 and nothing else to see by."""
    return AttentionStage(
        8, 2, 2, 7, carrier_size=2, carrier_key_bias=8.0, layer_scale=0.5, propagate=True
    ).eval()


class Around(torch.nn.Module):
    """A network that is nothing but a stage."""

    def __init__(self, stage):
        super().__init__()
        self.stage = stage

    def forward(self, x):
        return self.stage(x)


def test_without_carriers_a_pixel_sees_its_window_alone(alone):
    network = Around(alone)
    stage = choose_stage(network)
    image = torch.randn(1, 8, 14, 21)
    heard = measure_field(stage, network, image, 2, 9, copies=1)
    assert (heard.strength > 0).all()
    with without_carriers(network):
        deaf = measure_field(stage, network, image, 2, 9, copies=1)
    assert (deaf.strength[:7, 7:14] > 0).all()
    deaf.strength[:7, 7:14] = 0
    assert not deaf.strength.any()


def test_cutting_carriers_leaves_the_network_as_it_was(network):
    image = torch.randn(1, 3, 160, 224)
    with torch.no_grad():
        before = [map_.clone() for map_ in network(image)]
        with without_carriers(network):
            cut = network(image)
        after = network(image)
    assert not torch.allclose(before[2], cut[2], atol=1e-3)
    assert torch.equal(before[1], cut[1])
    for a, b in zip(before, after, strict=True):
        assert torch.equal(a, b)
    assert network.stages[2].propagate
    assert all("tables" not in vars(block) for block in network.stages[2].blocks)


def test_cutting_ends_with_an_error_inside(network):
    with pytest.raises(KeyError), without_carriers(network):
        raise KeyError
    assert network.stages[2].propagate
    assert all("tables" not in vars(block) for block in network.stages[2].blocks)


def test_a_field_is_the_gradient_of_random_combinations(network):
    """Of one copy it is the length of the gradient that finite differences give."""
    network.double()
    stage = choose_stage(network)
    image = torch.randn(1, 3, 64, 64).double()
    field = measure_field(stage, network, image, 1, 2, copies=1)
    random = torch.Generator().manual_seed(0)
    noisy = image + 0.1 * image.std() * torch.randn(image.shape, generator=random)
    signs = torch.randint(0, 2, (32,), generator=random) * 2 - 1

    def value(x):
        with torch.no_grad():
            passage = run_to(stage, network, x)
        return (stage.features(passage.output, passage.windows, 1, 2) * signs).sum()

    for row, column in ((20, 33), (50, 60)):
        gradient = []
        for channel in range(3):
            step = torch.zeros_like(image)
            step[0, channel, row, column] = 1e-5
            gradient.append((value(noisy + step) - value(noisy - step)) / 2e-5)
        assert field.strength[row, column] == pytest.approx(
            torch.stack(gradient).norm().item(), rel=1e-4
        )


def test_two_fields_are_drawn_from_one_seed(network):
    image = torch.randn(1, 3, 64, 64)
    stage = choose_stage(network)
    first, second = (measure_field(stage, network, image, 1, 1, copies=2) for _ in range(2))
    assert np.array_equal(first.strength, second.strength)


def test_a_radius_has_its_share_within():
    strength = np.zeros((40, 60))
    strength[20, 30] = 3.0  # at a distance of 0 from (30.5, 20.5)
    strength[20, 40] = 1.0  # at one of 10
    field = Field(strength)
    assert field.radius(30.5, 20.5, 0.5) == 0
    assert field.radius(30.5, 20.5, 0.75) == 0
    assert field.radius(30.5, 20.5, 0.95) == 10
    assert field.within(slice(20, 21), slice(0, 35)) == 0.75
