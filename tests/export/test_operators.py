"""The operators that a file has for what torch's exporter lacks compute what mmcv does."""

import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms
from mmcv.ops import roi_align as align
from mmdet.models.losses import CrossEntropyCustomLoss
from onnxruntime import InferenceSession
from torch import nn
from torch.nn import functional

from mmfastervit.explaining import cause_of
from mmfastervit.export.detections import Suppression, activated, kept
from mmfastervit.export.operators import roi_align
from mmfastervit.export.writing import trace
from mmfastervit.runtimes import OnnxRuntime


class Kept(nn.Module):
    def __init__(self, nms: Suppression):
        super().__init__()
        self.nms = nms

    def forward(self, boxes):
        scores, places = kept(boxes[..., :4], boxes[..., 4], boxes[..., 5].long(), self.nms)
        return dict(scores=scores, places=places)


class Aligned(nn.Module):
    def __init__(self, samples: int, aligned: bool):
        super().__init__()
        self.samples, self.aligned = samples, aligned

    def forward(self, features):
        boxes = torch.tensor(
            [[3.0, 2.0, 40.5, 30.0], [0.0, 0.0, 8.0, 8.0], [10.0, 20.0, 21.0, 60.0]]
        )
        images = torch.tensor([1, 0, 1])
        return (roi_align(features, boxes, images, [5, 7], 0.25, self.samples, self.aligned),)


@pytest.mark.parametrize("agnostic", [False, True])
def test_suppression_is_that_of_mmcv(agnostic, tmp_path):
    torch.manual_seed(0)
    low = torch.rand(2, 60, 2) * 50
    boxes = torch.cat([low, low + 5 + torch.rand(2, 60, 2) * 30], -1)
    scores, labels = torch.rand(2, 60, 1), torch.randint(0, 3, (2, 60, 1))
    module = Kept(Suppression(0.5, agnostic, 12))
    given = torch.cat([boxes, scores, labels], -1)
    trace(module, given, {0: "batch"}).save(str(tmp_path / "x.onnx"))
    found = OnnxRuntime(tmp_path / "x.onnx")(given.numpy())
    for image in range(2):
        dets, places = batched_nms(
            boxes[image], scores[image, :, 0], labels[image, :, 0],
            dict(type="nms", iou_threshold=0.5, class_agnostic=agnostic),
        )  # fmt: skip
        assert found["places"][image].tolist() == places[:12].tolist()
        assert torch.equal(torch.from_numpy(found["scores"][image]), dets[:12, 4])


@pytest.mark.parametrize(("samples", "aligned"), [(0, True), (2, True), (2, False)])
def test_features_of_boxes_are_those_of_mmcv(samples, aligned, tmp_path):
    torch.manual_seed(0)
    features = torch.randn(2, 4, 18, 16)
    trace(Aligned(samples, aligned), features, {}).save(str(tmp_path / "x.onnx"))
    found = OnnxRuntime(tmp_path / "x.onnx")(features.numpy())["output0"]
    rois = torch.tensor(
        [[1, 3.0, 2.0, 40.5, 30.0], [0, 0.0, 0.0, 8.0, 8.0], [1, 10.0, 20.0, 21.0, 60.0]]
    )
    wanted = align(features, rois, (5, 7), 0.25, samples, "avg", aligned)
    assert torch.allclose(torch.from_numpy(found), wanted, atol=1e-5)


class Pooled(torch.nn.Module):
    def forward(self, images):
        return (functional.adaptive_max_pool2d(images, (4, 5)),)


def test_adaptive_max_pooling_is_written_where_its_windows_are_alike(tmp_path):
    images = torch.randn(2, 3, 16, 25)
    path = str(tmp_path / "x.onnx")
    trace(Pooled(), images, {0: "batch"}).save(path)
    found = InferenceSession(path).run(None, {"images": images.numpy()})[0]
    np.testing.assert_array_equal(found, Pooled()(images)[0].numpy())
    with pytest.raises(Exception, match="17 pixels to 4 has windows of several sizes") as caught:
        trace(Pooled(), torch.randn(2, 3, 17, 25), {0: "batch"})
    assert "several sizes" in cause_of(caught.value)


def test_activations_of_a_loss_take_rows():
    loss = CrossEntropyCustomLoss(num_classes=5)
    logits = torch.randn(2, 7, loss.get_cls_channels(5))
    rows = torch.stack([loss.get_activation(one) for one in logits])
    torch.testing.assert_close(activated(loss, logits), rows)
