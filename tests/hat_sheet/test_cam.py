"""Grad-CAM looks at the layers and the target that it says."""

import numpy as np
import pytest
import torch
from support.opened import KINDS, opened, picture

from mmfastervit.hat_sheet import measure
from mmfastervit.hat_sheet.cam import Target, measure_cam, nearest_detection
from mmfastervit.hat_sheet.stages import choose_stage, run_to

BOXES = torch.tensor([[0, 0, 10, 10], [2, 2, 8, 8], [20, 0, 30, 10], [0, 20, 40, 40]]).float()


class Backboned(torch.nn.Module):
    """A network with a backbone, as detectors have one."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone


def cam_of(network, score):
    model = Backboned(network)
    image = torch.randn(1, 3, 128, 160)
    stage = choose_stage(model)
    with torch.no_grad():
        windows = run_to(stage, network, image).windows
    return measure_cam(model, image, Target("it", score), stage, windows, (120, 150))


def test_every_layer_has_a_view(network):
    cam = cam_of(network, lambda image: network(image)[3].square().sum())
    assert [view.note for view in cam.views] == [
        "40 x 32 pixels", "20 x 16 pixels", "10 x 8 pixels", "5 x 4 pixels", "10 x 8", "4 x 4"
    ]  # fmt: skip
    for view in cam.views[3:]:
        assert view.heat.shape == (120, 150)
        assert view.heat.min() >= 0
        assert view.heat.max() <= 1 + 1e-6
    assert [view.heat is None for view in cam.views] == [True, True, True, False, False, False]


def test_it_looks_where_the_target_comes_from(network):
    """The target is one corner of a map, so Grad-CAM by definition weighs the map's channels."""
    maps = {}

    def score(image):
        maps["last"] = network(image)[2]
        return maps["last"][0, 5].sum()

    view = cam_of(network, score).views[2]
    expected = maps["last"][0, 5].detach().clamp(min=0)
    rows, columns = np.unravel_index(view.heat.argmax(), view.heat.shape)
    best = expected.argmax().item()
    assert abs(rows / 16 - best // 10) <= 1.5
    assert abs(columns / 16 - best % 10) <= 1.5


def test_a_target_without_gradient_is_told(network):
    with pytest.raises(ValueError, match="without one: leave --cam out"):
        cam_of(network, lambda image: network(image)[3].detach().sum())


def test_the_network_is_left_without_hooks_and_gradients(network):
    before = network(torch.ones(1, 3, 64, 64))[3]
    cam_of(network, lambda image: network(image)[3].square().sum())
    assert not any(module._forward_hooks for module in network.modules())
    assert all(weight.grad is None for weight in network.parameters())
    assert torch.equal(before, network(torch.ones(1, 3, 64, 64))[3])


@pytest.mark.parametrize(
    ("scores", "point", "expected"),
    [
        ([0.9, 0.5, 0.8, 0.7], (5, 5), (0, True)),  # the surest of those around it
        ([0.5, 0.9, 0.8, 0.7], (5, 5), (1, True)),
        ([0.9, 0.5, 0.8, 0.7], (19, 5), (2, False)),  # the nearest
        ([0.1, 0.2, 0.8, 0.7], (5, 5), (2, False)),  # confident ones go before others
        ([0.1, 0.2, 0.1, 0.1], (25, 5), (2, True)),  # where none is, all count
    ],
)
def test_the_detection_that_a_point_means(scores, point, expected):
    assert nearest_detection(BOXES, torch.tensor(scores), point) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_model(kind):
    found = measure(opened(kind), picture((90, 70)), (40, 30), copies=1, with_cam=True)
    assert ("the detection" in found.cam.target) == (kind != "seg")
    assert any(view.heat is not None for view in found.cam.views)
    shapes = {view.heat.shape for view in found.cam.views if view.heat is not None}
    assert shapes == {found.heard.strength.shape}
