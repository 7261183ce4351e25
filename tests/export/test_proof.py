"""The check of a whole model: a file that finds something else does not pass."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from support.little_detectors import config_of, saved
from torch import nn

from mmfastervit.datasets.shapes import render_scene
from mmfastervit.export import build_whole
from mmfastervit.export.proof import check


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A model, a picture and what is found on it."""
    _, checkpoint = saved("retinanet", tmp_path_factory.mktemp("proof"))
    whole = build_whole(config_of("retinanet"), str(checkpoint), takes_uint8=True)
    picture = render_scene(np.random.default_rng(0), 128).image
    with torch.no_grad():
        outputs = whole(torch.from_numpy(picture)[None])
    return whole, picture, {name: output.numpy() for name, output in outputs.items()}


def _moved(outputs):
    outputs["boxes"][0, 0, ::2] += 3


def _scored(outputs):
    outputs["scores"][0, 0] += 2e-3


def _labelled(outputs):
    outputs["labels"][0, 0] = (outputs["labels"][0, 0] + 1) % 3


def _lost(outputs):
    for name in ("boxes", "scores", "labels"):
        outputs[name][0, :-1] = outputs[name][0, 1:].copy()
    outputs["count"] -= 1


def _doubled(outputs):
    for name in ("boxes", "scores", "labels"):
        outputs[name] = np.concatenate([outputs[name][:, :1], outputs[name]], 1)
    outputs["count"] = outputs["count"] + 1


def _nothing(outputs):
    outputs["count"][:] = 0


@pytest.mark.parametrize("change", [_moved, _scored, _labelled, _lost, _doubled, _nothing])
def test_a_difference_is_told(change, found):
    whole, picture, outputs = found
    assert check(whole, lambda batch: outputs, [picture]).compared > 3
    changed = {name: output.copy() for name, output in outputs.items()}
    change(changed)
    with pytest.raises(ArithmeticError, match=r"picture 1 .* the file is not written|hang on"):
        check(whole, lambda batch: changed, [picture])


class Tied(nn.Module):
    """Finds thirty boxes, and of two of one score that lie on each other the one it sees first.

    Both lie beside the picture, where features are zero whatever is on it.
    """

    def __init__(self, apart: float):
        super().__init__()
        self.data_preprocessor = None
        self.apart = apart
        self.layer = nn.Linear(1, 1)
        nn.init.zeros_(self.layer.bias)
        self.other = nn.Conv2d(3, 1, 1)

    def test_step(self, data):
        self.other(torch.stack(data["inputs"]).float())
        features = torch.zeros(2, 1)
        logits = self.layer(torch.cat([features, torch.ones(8, 1)]))[:2, 0]
        logits = logits + torch.tensor([0.0, -self.apart])
        return [self._sample(int(logits.argmax())) for _ in data["inputs"]]

    def _sample(self, which):
        numbers, scores, labels = self.found(which)
        sample = DetDataSample()
        sample.pred_instances = InstanceData(bboxes=numbers, scores=scores, labels=labels)
        return sample

    def found(self, which):
        corners = torch.arange(31.0)[:, None] * 10
        boxes = torch.cat([corners, corners, corners + 9, corners + 9], 1)
        boxes[30] += 2 * which
        return boxes, torch.full((31,), 0.5), torch.zeros(31, dtype=torch.int64)


@pytest.mark.parametrize(("apart", "passes"), [(0.0, True), (1e-3, False)])
def test_boxes_of_one_score_may_drop_each_other_and_others_may_not(apart, passes):
    model = Tied(apart).eval()
    whole = SimpleNamespace(
        model=model, preparation=SimpleNamespace(takes_uint8=True), results=None
    )
    values = [value[None].numpy() for value in model.found(1)]
    outputs = dict(zip(("boxes", "scores", "labels"), values, strict=True), count=np.array([31]))
    picture = np.zeros((320, 320, 3), np.uint8)
    if passes:
        checked = check(whole, lambda batch: outputs, [picture])
        assert (checked.compared, checked.shaky) == (30, 2)
    else:
        with pytest.raises(ArithmeticError, match="the file is not written"):
            check(whole, lambda batch: outputs, [picture])


def test_maps_that_the_model_draws_anew_are_told(tmp_path):
    _, checkpoint = saved("segformer", tmp_path)
    whole = build_whole(config_of("segformer"), str(checkpoint), takes_uint8=True)
    head = whole.model.decode_head.conv_seg
    head.register_forward_hook(lambda layer, inputs, values: values + torch.randn_like(values))
    picture = render_scene(np.random.default_rng(0), 128).image
    outputs = dict(classes=np.zeros((1, 128, 128), np.int64))
    with pytest.raises(ArithmeticError, match=r"the model itself gives \d.*% the same when it is"):
        check(whole, lambda batch: outputs, [picture])
