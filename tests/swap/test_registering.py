"""A user's own neck, head and rule, made known without touching the package's files."""

import shutil
from pathlib import Path

import pytest
from mmengine.config import Config

import mmfastervit
from mmfastervit.swap import Change, Outcome, SwapRefusedError, plan_swap
from mmfastervit.swap import planning as swap_planning
from mmfastervit.swap.audit import audit
from mmfastervit.swap.check import check
from mmfastervit.swap.rules import RULES
from mmfastervit.swap.writing import write_config
from mmfastervit.swap.zoo import READERS

EXAMPLES = Path(__file__).parents[2] / "docs/examples"
RETINANET = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"


@pytest.fixture
def readers(monkeypatch):
    """What is registered in a test is forgotten after it."""
    monkeypatch.setattr("mmfastervit.swap.zoo.READERS", known := dict(READERS))
    return known


@pytest.fixture
def own_neck(tmp_path, monkeypatch):
    """The example of the documentation in a folder of its own: its config."""
    for name in ("own_neck.py", "retinanet_own-neck.py"):
        shutil.copy(EXAMPLES / name, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "retinanet_own-neck.py"


def test_the_documented_neck_is_swapped_written_and_runs(own_neck, tiny_arch):
    swap = plan_swap(own_neck, tiny_arch)
    assert swap.config.model.backbone.out_indices == (2, 3)
    assert swap.config.model.neck.widths == [32, 64]
    target = own_neck.with_name("swapped.py")
    write_config(swap, own_neck.name, target)
    assert Config.fromfile(target).model.neck.widths == [32, 64]
    assert audit(swap) == []
    assert any("inference" in line for line in check(swap))


def test_the_example_has_ten_lines_at_most_for_the_swap(own_neck):
    text = (own_neck.parent / "own_neck.py").read_text()
    call = text[text.index("mmfastervit.register_reader(") :]
    assert len(call.splitlines()) <= 10


def test_further_values_follow_as_a_reader_says(readers, tiny_arch):
    mmfastervit.register_reader(
        "FPN", also=lambda neck, old, new: [("out_channels", 64 * len(new), "64 a map")]
    )
    assert plan_swap(RETINANET, tiny_arch).config.model.neck.out_channels == 192


def test_a_reader_can_refuse(readers, tiny_arch):
    mmfastervit.register_reader("RetinaHead", refused="was made for ResNet's statistics")
    with pytest.raises(SwapRefusedError, match="bbox_head RetinaHead was made for ResNet's"):
        plan_swap(RETINANET, tiny_arch)


def test_a_name_that_is_known_is_not_taken_twice():
    with pytest.raises(ValueError, match="how SSDNeck reads is known already"):
        mmfastervit.register_reader("SSDNeck", channels="widths")


def test_a_rule_of_ones_own_runs_after_the_others(monkeypatch, tiny_arch):
    path = ("model", "data_preprocessor", "pad_size_divisor")

    def pad_to_windows(context):
        was = context.section(*path[:-1]).get(path[-1])
        return Outcome([Change(path, was, 224, "whole windows")], ["images are padded to 224"])

    monkeypatch.setattr(swap_planning, "RULES", [*RULES, pad_to_windows])
    swap = plan_swap(RETINANET, tiny_arch)
    assert swap.config.model.data_preprocessor.pad_size_divisor == 224
    assert swap.notes[-1] == "images are padded to 224"


def test_a_rule_is_registered_once():
    def rule(context):
        return Outcome()

    try:
        assert mmfastervit.register_rule(rule) is rule
        mmfastervit.register_rule(rule)
        assert RULES.count(rule) == 1
    finally:
        RULES.remove(rule)
