"""What becomes of a model is found out and told: exported and matching, refused, failed."""

import re

import pytest
from support.little_zoo import NAME, little_zoo

from mmfastervit.export_sweep.subjects import find_one, names_of
from mmfastervit.export_sweep.trying import killed_trial, try_one


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    little_zoo(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("zoo")
def test_configs_of_one_model_are_told_as_one_and_what_has_none_says_why():
    found = [find_one(name, "fastervit_0") for name in names_of(NAME)]
    models = {record["config"].rpartition("/")[2][0]: record["model"] for record in found}
    assert models["a"] == models["b"]
    assert len({models[name] for name in "acde"}) == 4
    assert models["f"] is None
    assert "model" in found[2]["reason"]


def test_recipes_are_found_and_templates_are_not():
    names = names_of("mmfastervit")
    assert "mmfastervit::det/retinanet_fastervit-0_fpn_1x_coco.py" in names
    assert not any("own/" in name for name in names)


def test_a_config_of_the_zoo_is_swapped():
    found = find_one("mmdet::retinanet/retinanet_r50_fpn_1x_coco.py", "fastervit_0")
    assert found["kind"] == "RetinaNet"


@pytest.mark.usefixtures("zoo")
@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("good/a-segformer", "matching", None),
        pytest.param("good/c-retinanet", "matching", None, marks=pytest.mark.slow),
        ("bad/d-fcos-soft", "refused", "nms.type=nms"),
        ("bad/e-mixed-up", "failed", "class maps .*the file is not written"),
        ("bad/f-no-model", "failed", "model"),
    ],
)
def test_each_outcome_is_recorded(name, status, reason):
    record = try_one((f"{NAME}::{name}.py", "m"), "fastervit_0")
    assert record["status"] == status, record
    if reason is None:
        assert record["reason"] is None
        assert record["sizes"] == "any batch, 128x128 pixels"
        assert record["compared"] > 20
    else:
        assert re.search(reason, record["reason"])
    assert record["seconds"] >= 0


def test_a_process_that_was_ended_is_a_failure():
    assert killed_trial(("x", "m"), "longer than 3 s")["status"] == "failed"


def test_a_family_without_an_adapter_is_told_in_a_word():
    name = "mmdet::yolact/yolact_r50_1xb8-55e_coco.py"
    record = try_one((name, "m"), "fastervit_0")
    assert record["status"] == "refused"
    assert record["reason"] == "no adapter for a YOLACT, bbox_head YOLACTHead"


def test_a_model_that_cannot_be_built_is_no_failure_of_the_export():
    record = try_one(
        ("mmdet::cascade_rpn/cascade-rpn_r50-caffe_fpn_1x_coco.py", "m"), "fastervit_0"
    )
    assert record["status"] == "fails itself"
    assert "num_classes" in record["reason"]
