"""Images reach FasterViT as RGB, normalised as its weights were."""

import pytest
import torch
from mmdet.models.utils import imrenormalize
from mmengine.config import Config, ConfigDict
from support.stacks import MANY_CHANNELS

from mmfastervit.config.changes import apply_changes
from mmfastervit.config.tree import plain
from mmfastervit.swap import plan_swap
from mmfastervit.swap.check import check
from mmfastervit.swap.rules.images import MEAN, STD, is_of_pretraining, normalise, own_statistics


def values(changes) -> dict:
    return {change.key: change.now for change in changes}


def test_bgr_in_0_to_255_becomes_normalised_rgb():
    cfg = dict(model=dict(data_preprocessor=dict(type="DetDataPreprocessor", pad_size_divisor=32)))
    assert values(normalise(cfg, 3)) == {
        "model.data_preprocessor.mean": list(MEAN),
        "model.data_preprocessor.std": list(STD),
        "model.data_preprocessor.bgr_to_rgb": True,
    }


@pytest.mark.parametrize(
    ("preprocessor", "scope", "key"),
    [
        (dict(type="mmpretrain.ClsDataPreprocessor"), "mmdet", "to_rgb"),
        (dict(type="ReIDDataPreprocessor"), "mmdet", "to_rgb"),
        (dict(type="SegDataPreProcessor"), "mmseg", "bgr_to_rgb"),
        (dict(type="MyDataPreprocessor", to_rgb=False), "mmdet", "to_rgb"),
        (dict(), "mmpretrain", "to_rgb"),
        (dict(), "mmseg", "bgr_to_rgb"),
    ],
)
def test_the_channel_order_is_set_by_the_argument_that_the_preprocessor_has(
    preprocessor, scope, key
):
    cfg = dict(model=dict(type="MyModel", data_preprocessor=preprocessor), default_scope=scope)
    order = [name for name in values(normalise(cfg, 3)) if name.endswith("to_rgb")]
    assert order == [f"model.data_preprocessor.{key}"]


def test_preprocessor_that_is_right_is_left():
    right = dict(mean=list(MEAN), std=list(STD), bgr_to_rgb=True)
    assert normalise(dict(model=dict(data_preprocessor=right)), 3) == []


def test_preprocessor_inside_a_wrapper_and_of_a_detector_inside_a_tracker_are_found():
    wrong = dict(mean=[0, 0, 0], std=list(STD), bgr_to_rgb=True)
    wrapped = dict(type="MultiBranchDataPreprocessor", data_preprocessor=wrong)
    tracker = dict(
        data_preprocessor=dict(type="TrackDataPreprocessor", use_det_processor=True),
        detector=dict(data_preprocessor=wrong),
    )
    assert list(values(normalise(dict(model=dict(data_preprocessor=wrapped)), 3))) == [
        "model.data_preprocessor.data_preprocessor.mean"
    ]
    assert list(values(normalise(dict(model=tracker), 3))) == [
        "model.detector.data_preprocessor.mean"
    ]


def test_reidentification_of_a_tracker_gets_the_crop_that_it_got():
    renorm = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
    model = dict(
        data_preprocessor=dict(type="TrackDataPreprocessor"),
        tracker=dict(reid=dict(img_norm_cfg=renorm)),
    )
    cfg = Config(dict(model=model))
    swapped = apply_changes(cfg, normalise(plain(cfg.to_dict()), 3))
    crops = [_crop_for_reid(one.model) for one in (cfg, swapped)]
    torch.testing.assert_close(*crops)
    assert crops[0][0, 0, 0, 0] > crops[0][0, 2, 0, 0]  # red first


def _crop_for_reid(model: ConfigDict) -> torch.Tensor:
    """What StrongSORT's tracker makes of a reddish image."""
    image = torch.tensor([10.0, 60.0, 200.0]).reshape(3, 1, 1).expand(3, 4, 4)  # BGR, as loaded
    settings = model.data_preprocessor
    image = image.flip(0) if settings.get("bgr_to_rgb") else image
    mean, std = settings.get("mean", [0, 0, 0]), settings.get("std", [1, 1, 1])
    image = (image - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    old = dict(mean=mean, std=std, to_bgr=settings.get("rgb_to_bgr", False))
    return imrenormalize(image[None], old, dict(model.tracker.reid.img_norm_cfg))


def test_transforms_that_normalise_are_corrected_where_they_stand_and_not_twice():
    caffe = dict(type="Normalize", mean=[103.53, 116.28, 123.675], std=[1, 1, 1], to_rgb=False)
    pipeline = [dict(type="Load"), dict(type="MultiScaleFlipAug", transforms=[caffe])]
    cfg = dict(
        model=dict(data_preprocessor=dict(type="DetDataPreprocessor")),
        train_dataloader=dict(dataset=dict(dataset=dict(pipeline=pipeline))),
    )
    place = "train_dataloader.dataset.dataset.pipeline.1.transforms.0"
    assert values(normalise(cfg, 3)) == {
        f"{place}.mean": list(MEAN),
        f"{place}.std": list(STD),
        f"{place}.to_rgb": True,
    }


@pytest.mark.parametrize(("fill", "changes"), [([0, 0, 0], 1), ([114, 114, 114], 0)])
def test_borders_of_the_old_mean_get_the_new_one_and_others_stay(fill, changes):
    place = "train_dataloader.dataset.pipeline.0.mean"
    old = dict(mean=[0, 0, 0], std=[255, 255, 255], bgr_to_rgb=True)
    cfg = dict(
        model=dict(data_preprocessor=old),
        train_dataloader=dict(dataset=dict(pipeline=[dict(type="Expand", mean=fill)])),
    )
    found = values(normalise(cfg, 3))
    assert [key for key in found if key == place] == [place] * changes


@pytest.mark.parametrize(
    ("mean", "known"),
    [
        ([103.53, 116.28, 123.675], True),
        ([123.68, 116.779, 103.939], True),
        ([122.7709, 116.746, 104.0937], True),
        ([127.5, 127.5, 127.5], True),
        (None, True),
        ([60.0, 62.0, 58.0], False),
        ([110.0], False),
        ([110.0, 90.0, 80.0, 60.0], False),
    ],
)
def test_statistics_of_the_data_are_told_from_those_of_weights(mean, known):
    assert is_of_pretraining(dict(mean=mean)) is known


def test_the_datas_own_statistics_stay_and_are_stated():
    own = dict(mean=[60.0, 62.0, 58.0], std=[20.0, 21.0, 22.0], bgr_to_rgb=True)
    cfg = dict(model=dict(data_preprocessor=own))
    assert normalise(cfg, 3) == []
    (note,) = own_statistics(cfg)
    assert "model.data_preprocessor: mean=[60.0, 62.0, 58.0] is taken for the data's own" in note


@pytest.mark.parametrize("channels", [1, 2, 4, 6, 12, 13])
def test_images_that_are_not_rgb_are_left(channels):
    """A multiple of three is no sign of RGB frames: Sentinel-2's bands are twelve."""
    one_value = dict(mean=[100.0] * channels, std=[50.0] * channels)
    own = dict(mean=[50.0 + i for i in range(channels)], std=[20.0] * channels)
    for statistics in (one_value, own, dict(mean=None), dict()):
        for order in (dict(), dict(rgb_to_bgr=True)):
            preprocessor = dict(type="SegDataPreProcessor", **statistics, **order)
            cfg = dict(model=dict(data_preprocessor=preprocessor))
            assert normalise(cfg, channels) == []
            (note,) = own_statistics(cfg, channels)
            assert f"images of {channels} channels" in note
        step = dict(type="Normalize", to_rgb=False, **statistics)
        cfg = dict(train_dataloader=dict(dataset=dict(pipeline=[step])))
        assert normalise(cfg, channels) == []


@pytest.mark.parametrize("times", [2, 4])
def test_frames_whose_statistics_are_imagenets_already_get_its_exact_ones(times):
    near = [123.68, 116.779, 103.939] * times
    preprocessor = dict(mean=near, std=[1.0] * 3 * times)
    fill = dict(type="Expand", mean=near, to_rgb=False)
    cfg = dict(
        model=dict(data_preprocessor=preprocessor),
        train_dataloader=dict(dataset=dict(pipeline=[fill])),
    )
    assert values(normalise(cfg, 3 * times)) == {
        "model.data_preprocessor.mean": list(MEAN) * times,
        "model.data_preprocessor.std": list(STD) * times,
        "train_dataloader.dataset.pipeline.0.mean": list(MEAN) * times,
    }
    assert list(own_statistics(cfg, 3 * times)) == []


def test_frames_of_blue_first_are_left_as_no_preprocessor_turns_them_round():
    cfg = dict(model=dict(data_preprocessor=dict(mean=list(MEAN[::-1]) * 2, std=[1.0] * 6)))
    assert normalise(cfg, 6) == []
    assert len(list(own_statistics(cfg, 6))) == 1


@pytest.mark.parametrize("channels", [6, 12])
def test_named_weights_leave_six_and_twelve_channels_as_they_are(channels):
    """No mean, and one for all channels: with weights named, the stem is fitted, the rest stays."""
    name = "mmseg::fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py"
    cfg = plan_swap(name, "fastervit_0").original
    cfg.model.backbone.in_channels = channels
    own = dict(type=MANY_CHANNELS, mean=[127.5] * channels, std=[50.0] * channels, bgr_to_rgb=False)
    weights = "mmfastervit://fastervit_0_224_1k"
    for statistics in (own, own | dict(mean=None, std=None)):
        cfg.model.data_preprocessor.update(statistics)
        swap = plan_swap(cfg, "fastervit_0", pretrained=weights)
        kept = swap.config.model.data_preprocessor
        assert {key: kept[key] for key in own} == statistics
        assert swap.config.model.backbone.init_cfg.adapt_channels is True
        assert any(f"images of {channels} channels, not of RGB frames" in n for n in swap.notes)
        assert not any("none are named" in note for note in swap.notes)


@pytest.mark.parametrize(
    "channels", [1, 4, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 6, 13))]
)
def test_a_config_for_other_channels_keeps_its_statistics_and_takes_both_steps(channels, tiny_arch):
    cfg = plan_swap("mmseg::fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py", tiny_arch).original
    own = dict(mean=[50.0 + i for i in range(channels)], std=[20.0] * channels, bgr_to_rgb=False)
    cfg.model.data_preprocessor.update(own, type=MANY_CHANNELS)
    cfg.model.backbone.in_channels = channels
    swap = plan_swap(cfg, tiny_arch)
    assert swap.config.model.backbone.in_channels == channels
    assert {key: swap.config.model.data_preprocessor[key] for key in own} == own
    check(swap)


def test_published_weights_are_left_out_for_other_channels_unless_they_are_named():
    name = "mmseg::fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py"
    cfg = plan_swap(name, "fastervit_0").original
    cfg.model.backbone.in_channels = 4
    swap = plan_swap(cfg, "fastervit_0")
    assert "init_cfg" not in swap.config.model.backbone
    weights = "mmfastervit://fastervit_0_224_1k"
    assert any(f"--pretrained {weights}" in note for note in swap.notes)
    named = plan_swap(cfg, "fastervit_0", pretrained=weights)
    assert named.config.model.backbone.init_cfg.adapt_channels is True
