"""What torch's exporter and its optimiser make of a module, where that needs a hand."""

import numpy as np
import torch
from onnxruntime import InferenceSession
from torch import nn

from mmfastervit.export.writing import trace


class Limited(nn.Module):
    """Limits of one value, twice, as ``inverse_sigmoid`` has them in a decoder's every layer."""

    def forward(self, images):
        shares = images.sigmoid()
        first = shares.clamp(0, 1).clamp(min=0.3)
        second = shares.clamp(0.1, 0.9).clamp(min=0.5)
        return first, second, first * shares.clamp(0, 1).clamp(min=0.3)


def test_limits_of_one_value_stay_apart(tmp_path):
    images = torch.randn(2, 3, 8, 8) * 3
    path = str(tmp_path / "x.onnx")
    trace(Limited(), images, {}).save(path)
    found = InferenceSession(path).run(None, {"images": images.numpy()})
    for ours, theirs in zip(found, Limited()(images), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-6)
