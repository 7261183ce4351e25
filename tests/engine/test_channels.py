"""Models take images of any number of channels, normalised by their own statistics."""

import pytest
import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.structures import DetDataSample
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.structures import SegDataSample

from mmfastervit.engine.channels import DetChannelsPreprocessor
from mmfastervit.engine.seg_channels import SegChannelsPreprocessor


def batch(*images: torch.Tensor) -> dict:
    samples = [DetDataSample(metainfo=dict(img_shape=tuple(one.shape[1:]))) for one in images]
    return dict(inputs=list(images), data_samples=samples)


def drawn(channels: int, height: int = 5, width: int = 7, high: int = 256) -> torch.Tensor:
    dtype = torch.uint8 if high == 256 else torch.uint16
    return torch.randint(0, high, (channels, height, width)).to(dtype)


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_mmdets_own_where_that_works(channels):
    options = dict(
        mean=[10.0, 20.0, 30.0][:channels],
        std=[2.0, 3.0, 4.0][:channels],
        bgr_to_rgb=channels == 3,
        pad_size_divisor=8,
    )
    data = batch(drawn(channels), drawn(channels, 9, 4))
    theirs = DetDataPreprocessor(**options)(data)
    ours = DetChannelsPreprocessor(**options)(data)
    assert torch.equal(ours["inputs"], theirs["inputs"])
    for our, their in zip(ours["data_samples"], theirs["data_samples"], strict=True):
        assert our.batch_input_shape == their.batch_input_shape
        assert our.pad_shape == their.pad_shape


@pytest.mark.parametrize("channels", [1, 3])
def test_a_segmentors_is_mmsegs_own_where_that_works(channels):
    options = dict(
        mean=[10.0, 20.0, 30.0][:channels],
        std=[2.0, 3.0, 4.0][:channels],
        bgr_to_rgb=channels == 3,
        test_cfg=dict(size_divisor=8),
    )
    made = []
    for kind in (SegDataPreProcessor, SegChannelsPreprocessor):
        torch.manual_seed(0)
        samples = [SegDataSample(), SegDataSample()]
        data = dict(inputs=[drawn(channels), drawn(channels)], data_samples=samples)
        made.append(kind(**options)(data))
    theirs, ours = made
    assert torch.equal(ours["inputs"], theirs["inputs"])
    for our, their in zip(ours["data_samples"], theirs["data_samples"], strict=True):
        assert our.pad_shape == their.pad_shape


@pytest.mark.parametrize("channels", [2, 4, 13])
def test_each_channel_of_a_segmentors_images_has_its_own_statistics(channels):
    mean, std = [1000.0 * i for i in range(channels)], [1.0 + i for i in range(channels)]
    image = drawn(channels, high=65536)
    made = SegChannelsPreprocessor(mean=mean, std=std)(dict(inputs=[image]))["inputs"][0]
    for i in range(channels):
        assert torch.equal(made[i], (image[i].float() - mean[i]) / std[i])


@pytest.mark.parametrize("channels", [2, 4, 6, 13])
def test_each_channel_has_its_own_statistics(channels):
    mean, std = [1000.0 * i for i in range(channels)], [1.0 + i for i in range(channels)]
    image = drawn(channels, high=65536)
    made = DetChannelsPreprocessor(mean=mean, std=std)(batch(image))["inputs"][0]
    for i in range(channels):
        assert torch.equal(made[i], (image[i].float() - mean[i]) / std[i])


def test_red_and_blue_are_swapped_and_the_others_stay():
    image = torch.arange(5).view(5, 1, 1).expand(5, 2, 2).to(torch.uint8)
    preprocessor = DetChannelsPreprocessor(mean=[0.0] * 5, std=[1.0] * 5, bgr_to_rgb=True)
    made = preprocessor(batch(image))["inputs"][0]
    assert made[:, 0, 0].tolist() == [2, 1, 0, 3, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(mean=[0.0] * 4, std=[1.0] * 3), "mean has 4 values and std 3"),
        (dict(mean=[0.0] * 2, std=[1.0] * 2, bgr_to_rgb=True), "no red and blue to swap"),
    ],
)
def test_statistics_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DetChannelsPreprocessor(**options)


def test_images_of_other_channels_are_refused_with_the_remedy():
    preprocessor = DetChannelsPreprocessor(mean=[0.0] * 4, std=[1.0] * 4)
    with pytest.raises(ValueError, match=r"have 3 channels .* 4 values; .*color_type='unchanged'"):
        preprocessor(batch(drawn(3)))


def test_unknown_options_are_refused():
    with pytest.raises(TypeError):
        DetChannelsPreprocessor(mean=[0.0], std=[1.0], pad_size=8)
