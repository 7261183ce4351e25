"""What goes into a file for a data preprocessor gives what that gives."""

import numpy as np
import pytest
import torch
from mmdet.models import DetDataPreprocessor
from mmseg.models import SegDataPreProcessor

from mmfastervit.engine.channels import DetChannelsPreprocessor
from mmfastervit.engine.seg_channels import SegChannelsPreprocessor
from mmfastervit.export import Refused
from mmfastervit.export.asking import predicted
from mmfastervit.export.preparing import Preparation

RGB = dict(mean=[120.0, 110.0, 100.0], std=[50.0, 60.0, 70.0])


class Detector(torch.nn.Module):
    """What a model gets from its preprocessor."""

    def __init__(self, preprocessor):
        super().__init__()
        self.data_preprocessor = preprocessor

    def test_step(self, data):
        return self.data_preprocessor(data, False)["inputs"]


class BaseSegmentor(Detector):
    """The same, where mmseg's samples are wanted."""


@pytest.mark.parametrize(
    ("kind", "preprocessor", "channels"),
    [
        (Detector, DetDataPreprocessor(**RGB, bgr_to_rgb=True, pad_size_divisor=32), 3),
        (Detector, DetDataPreprocessor(**RGB, pad_size_divisor=16, pad_value=7), 3),
        (Detector, DetDataPreprocessor(pad_size_divisor=1), 3),
        (Detector, DetChannelsPreprocessor([1.0] * 4, [2.0] * 4, bgr_to_rgb=True), 4),
        (Detector, DetChannelsPreprocessor([1.0] * 4, [2.0] * 4, pad_size_divisor=8), 4),
        (Detector, DetChannelsPreprocessor([1.0, 2.0, 3.0], [2.0] * 3, bgr_to_rgb=True), 3),
        (BaseSegmentor, SegChannelsPreprocessor([1.0] * 5, [2.0] * 5, bgr_to_rgb=True), 5),
        (BaseSegmentor, SegDataPreProcessor(**RGB, bgr_to_rgb=True, size=(64, 64)), 3),
        (BaseSegmentor, SegDataPreProcessor(**RGB, test_cfg=dict(size_divisor=32)), 3),
        (BaseSegmentor, SegDataPreProcessor(**RGB, test_cfg=dict(size=(50, 60)), pad_val=9), 3),
    ],
)
def test_images_are_those_of_the_preprocessor(kind, preprocessor, channels):
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (2, 45, 70, channels), dtype=np.uint8)
    wanted = predicted(kind(preprocessor), list(pictures))
    images, size = Preparation(preprocessor, takes_uint8=True)(torch.from_numpy(pictures))
    assert size == (45, 70)
    assert torch.allclose(images, wanted, atol=1e-5)
    bare = Preparation(preprocessor, takes_uint8=False)
    images, _ = bare(bare.normalised(torch.from_numpy(pictures)))
    assert torch.allclose(images, wanted, atol=1e-5)


def test_another_preprocessor_is_refused():
    with pytest.raises(Refused, match="prepared by a Linear; DetDataPreprocessor"):
        Preparation(torch.nn.Linear(1, 1), takes_uint8=True)
