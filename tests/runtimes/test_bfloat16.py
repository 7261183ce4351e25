"""Models of all kinds compute in bfloat16, and end in float32."""

import numpy as np
import pytest
import torch
from support.little_detectors import config_of, spread
from torch import nn

from mmfastervit.config.building import build_model
from mmfastervit.datasets.shapes import render_scene
from mmfastervit.export.asking import predicted
from mmfastervit.runtimes.bfloat16 import compute_in_bfloat16


@pytest.mark.parametrize(
    "name", ["retinanet", "mask-rcnn", "deformable-detr", "segformer", "mask2former-semantic"]
)
def test_layers_compute_in_bfloat16_and_results_are_float32(name):
    model = build_model(config_of(name))
    model.init_weights()
    spread(model)
    model.eval()
    compute_in_bfloat16(model)
    kinds = set()
    for module in model.backbone.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _, given, maps: kinds.add(maps.dtype))
    (sample,) = predicted(model, [render_scene(np.random.default_rng(0), 64).image])
    assert kinds == {torch.bfloat16}
    if "pred_instances" in sample:
        found = sample.pred_instances
        assert len(found)
        assert found.scores.dtype == found.bboxes.dtype == torch.float32
    else:
        assert sample.seg_logits.data.dtype == torch.float32
    assert {value.dtype for value in model.state_dict().values()} <= {torch.float32, torch.int64}
