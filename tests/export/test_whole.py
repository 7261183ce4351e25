"""Whole models: every family finds what the model itself predicts, in torch and as an ONNX file."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from mmdet.models.dense_heads import RetinaHead
from mmdet.registry import MODELS
from PIL import Image
from support.answers import status_of
from support.little_detectors import MAKERS, SEGMENTORS, config_of, saved

from mmfastervit.datasets.shapes import render_scene
from mmfastervit.export import Refused, WholeModel, build_whole
from mmfastervit.export.asking import fitted
from mmfastervit.export.families.two_stage import chosen_masks
from mmfastervit.export.proof import check

WITH_MASKS = {"boxes", "scores", "labels", "count", "masks"}
OUTPUTS = {
    **dict.fromkeys(("mask-rcnn", "cascade-rcnn", "rtmdet-ins", "mask2former"), WITH_MASKS),
    **{name: {"classes"} for name in SEGMENTORS},
    "mask2former-panoptic": {"segments"},
}
ANY_SIZE = ("retinanet",)  # the others are made for one, which takes less long
ONE_PICTURE = ("tood",)  # mmdet makes its anchors picture by picture
STANDARD = {"", "ai.onnx"}


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [render_scene(random, 160).image for _ in range(4)]


def whole_of(name: str, folder: Path, takes_uint8: bool = True) -> WholeModel:
    _, checkpoint = saved(name, folder)
    return build_whole(config_of(name), str(checkpoint), takes_uint8)


def in_torch(whole: WholeModel):
    """What a file would compute, without one."""

    def run(batch: np.ndarray) -> dict[str, np.ndarray]:
        with torch.no_grad():
            outputs = whole(torch.from_numpy(batch))
        return {name: output.numpy() for name, output in outputs.items()}

    return run


@pytest.mark.parametrize("name", MAKERS)
def test_every_family_finds_what_the_model_predicts(name, tmp_path, pictures):
    whole = whole_of(name, tmp_path)
    for size in ((128, 160), (125, 190)):
        if size[0] % 32 and name.startswith("rtmdet"):  # its neck takes multiples of 32 alone
            continue
        batch = [fitted(picture, size) for picture in pictures[:2]]
        checked = check(whole, in_torch(whole), batch)
        assert checked.compared > (10_000 if "pixels" in checked.kind else 3)


def test_normalised_images_are_what_the_preprocessor_makes(tmp_path, pictures):
    whole = whole_of("retinanet", tmp_path, takes_uint8=False)
    assert check(whole, in_torch(whole), [fitted(pictures[0], (125, 190))]).compared > 3


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
def test_every_family_is_written_in_standard_operators(name, tmp_path, pictures, capsys):
    config, checkpoint = saved(name, tmp_path)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    out = tmp_path / "model.onnx"
    status, told, errors = status_of(
        capsys, "export", str(config), str(checkpoint), "--part", "model", "--uint8",
        "--size", "128", "160", "--check-on", str(tmp_path), "--out", str(out),
        *(() if name in ANY_SIZE else ("--one-size",)),
    )  # fmt: skip
    assert status == 0, errors
    assert {node.domain for node in onnx.load(out).graph.node} <= STANDARD
    compared = [int(number) for number in re.findall(r"pictures of .*: (\d+) ", told)]
    assert len(compared) == (4 if name in ANY_SIZE else 1 if name in ONE_PICTURE else 2)
    assert min(compared) > 0
    batch = "a batch of 1" if name in ONE_PICTURE else "any batch"
    assert f"{batch}, {'height and width' if name in ANY_SIZE else '128x160 pixels'}" in told
    found = {output.name for output in onnx.load(out).graph.output}
    assert found == OUTPUTS.get(name, {"boxes", "scores", "labels", "count"})


def _changed(name: str, **changes) -> dict:
    cfg = config_of(name)
    cfg.merge_from_dict(changes)
    return cfg


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("retinanet", {"model.test_cfg.nms.type": "soft_nms"}, "nms.type=nms"),
        ("retinanet", {"model.test_cfg.nms.score_threshold": 0.1}, "model.test_cfg.nms is .*0.1"),
        ("retinanet", {"model.test_cfg.nms_pre": -1}, "model.test_cfg.nms_pre is -1"),
        ("retinanet", {"model.test_cfg.max_per_img": -1}, "model.test_cfg.max_per_img is -1"),
        ("faster-rcnn", {"model.test_cfg.rpn.nms.type": "soft_nms"}, "model.test_cfg.rpn.nms is"),
        ("faster-rcnn", {"model.test_cfg.rcnn.max_per_img": 0}, "model.test_cfg.rcnn.max_per_img"),
        ("upernet", {"model.test_cfg.mode": "slide"}, "model.test_cfg.mode is 'slide'"),
    ],
)
def test_options_that_a_file_would_not_follow_are_refused(name, changes, message):
    with pytest.raises(Refused, match=message):
        build_whole(_changed(name, **changes))


def test_a_pipeline_that_normalises_is_refused_for_pictures_alone():
    cfg = config_of("retinanet")
    cfg.test_dataloader = dict(dataset=dict(pipeline=[dict(type="Normalize", mean=[0], std=[1])]))
    build_whole(cfg)
    with pytest.raises(Refused, match="a step Normalize"):
        build_whole(cfg, takes_uint8=True)


def test_a_head_of_its_own_way_is_refused_with_the_families_that_are_known():
    @MODELS.register_module(force=True)
    class OwnHead(RetinaHead):
        def predict_by_feat(self, *args, **kwargs):
            return super().predict_by_feat(*args, **kwargs)

    cfg = _changed("retinanet", **{"model.bbox_head.type": "OwnHead"})
    with pytest.raises(Refused, match=r"dense heads .*bbox_head OwnHead.*--part neck"):
        build_whole(cfg)


def test_logits_are_for_segmentors():
    with pytest.raises(Refused, match="logits are given by"):
        build_whole(config_of("retinanet"), gives_logits=True)


def test_logits_are_those_of_the_model(tmp_path, pictures):
    _, checkpoint = saved("segformer", tmp_path)
    whole = build_whole(config_of("segformer"), str(checkpoint), True, gives_logits=True)
    assert check(whole, in_torch(whole), [fitted(pictures[0], (64, 96))]).kind == "logits"


@pytest.mark.parametrize(
    "name", ["detr", "conditional-detr", "dab-detr", "deformable-detr", "dino"]
)
def test_queries_do_not_look_at_padding(name, tmp_path, pictures):
    cfg = _changed(name, **{"model.data_preprocessor.pad_size_divisor": 128})
    _, checkpoint = saved(name, tmp_path, cfg)
    whole = build_whole(cfg, str(checkpoint), takes_uint8=True)
    batch = [fitted(picture, (125, 190)) for picture in pictures[:2]]
    assert check(whole, in_torch(whole), batch).compared > 3


def test_the_masks_of_one_class_are_computed_alone():
    head = build_whole(config_of("mask-rcnn")).model.roi_head.mask_head
    torch.nn.init.normal_(head.conv_logits.bias)
    features, which = torch.randn(4, 16, 14, 14), torch.tensor([2, 0, 1, 2])
    seen = []
    head.conv_logits.register_forward_hook(lambda *_: seen.append(1))
    with torch.no_grad():
        ours = chosen_masks(head, features, which)
        assert not seen  # not of all classes
        theirs = head(features)[torch.arange(4), which]
    torch.testing.assert_close(ours, theirs)
