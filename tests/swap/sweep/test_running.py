"""The sweep counts every config once, and honestly."""

from mmfastervit.swap import plan_swap
from mmfastervit.swap.sweep.report import (
    ONLY_BUILT,
    PASSED,
    SAME_AS_ORIGINAL,
    state_of,
    write_report,
)
from mmfastervit.swap.sweep.running import model_key, zoo_names

SWAPS = [
    dict(config="mmdet::a/x.py", status="swapped", model="m1", notes=["coarser"]),
    dict(config="mmdet::a/y.py", status="swapped", model="m1", notes=[]),
    dict(config="mmdet::b/z.py", status="swapped", model="m2", notes=[]),
    dict(config="mmdet::b/w.py", status="swapped", model="m3", notes=[]),
    dict(config="mmdet::c/r.py", status="refused", reason="its text tower", nearest=None),
]
STEPS = {
    "m1": dict(reached="predicted", reason=None),
    "m2": dict(
        reached="built", reason="E: mine", original_reached="predicted", original_reason=None
    ),
    "m3": dict(
        reached="trained", reason="E: both", original_reached="trained", original_reason="E: both"
    ),
}


def test_a_failure_is_the_originals_only_if_it_comes_no_farther():
    states = [state_of(swap, STEPS) for swap in SWAPS]
    assert states == [PASSED, PASSED, ONLY_BUILT, SAME_AS_ORIGINAL, "refused"]


def test_page_has_the_shares_of_what_is_left_to_swap(tmp_path):
    write_report(SWAPS, STEPS, "fastervit_0", tmp_path / "docs" / "page.md")
    page = (tmp_path / "docs" / "page.md").read_text()
    assert "5 configs, 3 models" in page
    assert "| **passed both steps, of those left to swap** | 2 (50.0%) | 2 (50.0%) |" in page
    assert "its text tower" in page
    assert "E: mine" in page


def test_what_failed_on_both_sides_before_it_was_built_is_not_counted_as_built(tmp_path):
    late = dict(reached=None, reason="longer", original_reached=None, original_reason="longer")
    write_report(SWAPS, {**STEPS, "m3": late}, "fastervit_0", tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "| **built, of those left to swap** | 3 (75.0%) | 3 (75.0%) |" in page
    assert "| **built, of those whose original passes here** | 3 (100.0%) |" in page
    assert "| **passed both steps, of those whose original passes here** | 2 (66.7%) |" in page


def test_configs_that_differ_in_schedule_share_a_model_and_others_do_not(tiny_arch):
    keys = [
        model_key(plan_swap(f"mmdet::{name}_coco.py", tiny_arch))
        for name in (
            "retinanet/retinanet_r50_fpn_1x",
            "retinanet/retinanet_r50_fpn_2x",
            "free_anchor/freeanchor_r50_fpn_1x",
        )
    ]
    assert keys[0] == keys[1] != keys[2]


def test_how_the_backbone_shares_its_work_does_not_tell_models_apart(tiny_arch):
    name = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"
    options = dict(with_cp=True, norm_cfg=dict(type="SyncBN"))
    shared = plan_swap(name, tiny_arch, backbone_options=options)
    assert model_key(shared) == model_key(plan_swap(name, tiny_arch))
    frozen = plan_swap(name, tiny_arch, backbone_options=dict(frozen_stages=1))
    assert model_key(frozen) != model_key(shared)


def test_every_config_of_a_zoo_is_named_and_its_parts_are_not():
    names = zoo_names("mmseg")
    assert len(names) == len(set(names)) > 600
    assert not any("_base_" in name for name in names)
