"""Deformable convolutions by sampling are mmcv's, in torch and in a file of any size."""

import numpy as np
import pytest
import torch
from torch import nn

from mmfastervit.export.deformable import convolutions_sampled
from mmfastervit.export.writing import trace

ops = pytest.importorskip("mmcv.ops")


class Moved(nn.Module):
    """A convolution whose offsets come from the image."""

    def __init__(self, layer, channels, modulated):
        super().__init__()
        self.layer = layer
        cells = layer.kernel_size[0] * layer.kernel_size[1] * layer.deform_groups
        self.cells, self.modulated = cells, modulated
        options = dict(stride=layer.stride, padding=layer.padding, dilation=layer.dilation)
        self.looks = nn.Conv2d(
            channels, cells * (3 if modulated else 2), layer.kernel_size, **options
        )
        nn.init.normal_(self.looks.weight, std=0.5)

    def forward(self, images):
        seen = self.looks(images)
        moves = seen[:, : 2 * self.cells] * 4  # far enough to leave the image
        more = [seen[:, 2 * self.cells :].sigmoid()] if self.modulated else []
        return (self.layer(images, moves, *more),)


CASES = {
    "plain": (False, dict(kernel_size=3, padding=1)),
    "of two groups, coarser": (
        False,
        dict(kernel_size=3, padding=1, stride=2, groups=2, deform_groups=4),
    ),
    "oblong, apart": (False, dict(kernel_size=(3, 1), padding=(2, 0), dilation=(2, 1))),
    "with shares": (True, dict(kernel_size=3, padding=1, bias=True)),
    "with shares, of groups": (
        True,
        dict(kernel_size=3, padding=2, stride=2, dilation=2, groups=4, deform_groups=2, bias=True),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_sampling_is_what_mmcv_computes(case, tmp_path):
    from onnxruntime import InferenceSession

    modulated, options = CASES[case]
    torch.manual_seed(0)
    layer = (ops.ModulatedDeformConv2d if modulated else ops.DeformConv2d)(8, 12, **options)
    if modulated:
        nn.init.normal_(layer.bias)
    model = Moved(layer, 8, modulated).eval()
    images = torch.randn(2, 8, 13, 17)
    with torch.no_grad():
        theirs = model(images)[0]
        with convolutions_sampled():
            ours = model(images)[0]
        again = model(images)[0]
    assert theirs.abs().max() > 0.1
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    assert torch.equal(again, theirs)  # mmcv's is back

    path = str(tmp_path / "x.onnx")
    trace(model, images, {0: "batch", 2: "height", 3: "width"}).save(path)
    other = torch.randn(3, 8, 21, 10)
    with torch.no_grad():
        theirs = model(other)[0].numpy()
    found = InferenceSession(path).run(None, {"images": other.numpy()})[0]
    np.testing.assert_allclose(found, theirs, atol=1e-4, rtol=1e-3)


def test_offsets_of_a_finer_map_are_read_as_mmcv_does():
    torch.manual_seed(0)
    layer = ops.ModulatedDeformConv2d(8, 12, 3, padding=1, bias=True)
    images = torch.randn(2, 8, 7, 9)
    offsets, shares = torch.randn(2, 18, 13, 17), torch.rand(2, 9, 13, 17)
    with torch.no_grad():
        theirs = layer(images, offsets, shares)
        with convolutions_sampled():
            ours = layer(images, offsets, shares)
    assert theirs.shape == (2, 12, 7, 9)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
