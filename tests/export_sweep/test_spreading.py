"""Weights that nobody trained find something that differs from place to place."""

import numpy as np
import torch
from support.little_detectors import config_of
from torch import nn

from mmfastervit.datasets.shapes import render_scene
from mmfastervit.export import build_whole
from mmfastervit.export.asking import predicted
from mmfastervit.export_sweep.spreading import spreading


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Conv2d(3, 4, 1)
        self.head = nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 2, 1))
        nn.init.zeros_(self.head[2].weight)
        nn.init.constant_(self.head[2].bias, -4.0)

    def forward(self, x):
        return self.head(self.backbone(x))


@torch.no_grad()
def test_outputs_spread_by_one_around_the_bias_and_the_backbone_stays():
    model = Model().eval()
    before = model.backbone.weight.clone()
    image = torch.randn(1, 3, 20, 30)
    with spreading(model):
        first = model(image)
    assert torch.equal(model.backbone.weight, before)
    assert torch.allclose(model(image), first)  # and no hook is left
    assert abs(float((first + 3).std()) - 1) < 1e-3
    assert torch.equal(model.head[2].bias, torch.full((2,), -3.0))
    assert model.head[1].running_var.std() > 0.1


@torch.no_grad()
def test_a_layer_of_several_maps_spreads_no_more_on_any():
    model = Model().eval()
    maps = [torch.randn(1, 3, 20, 30) * scale for scale in (1, 9, 0.1)]
    with spreading(model):
        for one in maps:
            model(one)
    spreads = [float((model.head[0](model.backbone(one))).std()) for one in maps]
    assert abs(max(spreads) - 1) < 0.1
    assert min(spreads) > 1e-3


@torch.no_grad()
def test_the_same_seed_gives_the_same_weights():
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(3)
        model = Model().eval()
        with spreading(model, seed):
            model(torch.ones(1, 3, 9, 9) * torch.arange(9.0))
        weights.append(model.head[2].weight.clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_fresh_detector_finds_boxes_of_several_classes_and_scores():
    whole = build_whole(config_of("retinanet"), takes_uint8=True)
    picture = render_scene(np.random.default_rng(0), 128).image
    with spreading(whole.model):
        predicted(whole.model, [picture])
    (sample,) = predicted(whole.model, [picture])
    found = sample.pred_instances
    assert int((found.scores > 0.05).sum()) > 10
    assert float(found.scores.std()) > 0.01
    assert len(set(found.labels.tolist())) > 1
