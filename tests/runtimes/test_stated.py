"""A file says what it is, and a config of another model or of other classes is told so."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
from mmengine.config import Config
from support.fake_file import PLAIN, write_file

from mmfastervit.runtimes import NoModel, OtherModel, Stated, described, read_metadata

FILE = Path("x.onnx")
MODEL = dict(
    type="mmdet.X",
    backbone=dict(type="FasterViT", arch="small", drop_path_rate=0.2, init_cfg=dict(type="Y")),
    bbox_head=dict(type="Head", num_classes=2, loss_cls=dict(loss_weight=1.0, use_sigmoid=True)),
    train_cfg=dict(a=1),
    test_cfg=dict(score_thr=0.1, nms=dict(type="nms", iou_threshold=0.5)),
)


def config(classes=("cat", "dog"), **changes) -> Config:
    dataset = dict(type="CocoDataset", metainfo=dict(classes=classes), pipeline=[])
    cfg = Config(
        dict(
            default_scope="mmdet",
            model=copy.deepcopy(MODEL),
            test_dataloader=dict(dataset=dataset),
        )
    )
    cfg.merge_from_dict(changes)
    return cfg


def of(cfg: Config) -> Stated:
    model, test_cfg = described(cfg)
    return replace(PLAIN, model=model, test_cfg=test_cfg)


def test_a_file_says_what_it_was_told(tmp_path):
    stated = replace(of(config()), size=(30, 40), fill=None, threshold=0.5)
    path = write_file(tmp_path / "x.onnx", stated.to_metadata())
    assert Stated.read(path) == stated
    assert json.loads(read_metadata(path)["classes"]) == ["cat", "dog"]


def test_the_config_of_the_export_is_agreed_to_whatever_serves_training():
    stated = of(config())
    stated.check(config(), FILE)
    stated.check(
        config(
            **{
                "model.backbone.drop_path_rate": 0.0,
                "model.backbone.init_cfg": None,
                "model.bbox_head.loss_cls.loss_weight": 2.0,
                "model.train_cfg.a": 2,
                "model.type": "X",
            }
        ),
        FILE,
    )
    replace(stated, classes=()).check(config(classes=("a", "b")), FILE)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model.backbone.arch", "large", r"model.backbone.arch is 'small' there and 'large' here"),
        ("model.test_cfg.score_thr", 0.3, r"model.test_cfg.score_thr is 0.1 there and 0.3 here"),
        ("model.test_cfg.nms.iou_threshold", 0.6, r"test_cfg.nms.iou_threshold is 0.5 there"),
        ("model.bbox_head.loss_cls.use_sigmoid", False, r"use_sigmoid is True there and False"),
        ("model.type", "Z", r"model.type is 'X' there and 'Z' here.*--cfg-options"),
    ],
)
def test_another_model_is_told_by_the_first_differences(key, value, message):
    with pytest.raises(OtherModel, match=rf"x.onnx was made of another model .*{message}"):
        of(config()).check(config(**{key: value}), FILE)


def test_other_classes_are_told():
    with pytest.raises(OtherModel, match="made for the classes cat, dog, and the config has dog"):
        of(config()).check(config(classes=("dog", "cat")), FILE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(mmfastervit="2"), "says what it is in version '2', and this mmfastervit reads 1"),
        (dict(size="[1, 2"), "what it says of itself is broken"),
        (None, "does not say what it is: write it again by `mmfastervit export"),
    ],
)
def test_a_file_that_does_not_say_is_told(change, message, tmp_path):
    metadata = {} if change is None else PLAIN.to_metadata() | change
    with pytest.raises(NoModel, match=message):
        Stated.read(write_file(tmp_path / "x.onnx", metadata))


def test_class_maps_that_are_scaled_are_remarked():
    resized = config()
    resized.test_dataloader.dataset.pipeline = [dict(type="Resize", scale=(8, 8))]
    maps, logits = (replace(PLAIN, gives=(name,)) for name in ("classes", "logits"))
    masks = replace(PLAIN, gives=("boxes", "masks"))
    assert "pixel by pixel" in maps.scales_coarsely(resized)
    assert "pixel by pixel" in masks.scales_coarsely(resized)
    for stated in (logits, PLAIN, replace(masks, threshold=0.5)):
        assert stated.scales_coarsely(resized) == ""
    assert maps.scales_coarsely(config()) == ""
