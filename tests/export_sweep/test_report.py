"""The page counts every model once, and says of each what became of it."""

from mmfastervit.export_sweep.report import write_report

FOUND = [
    dict(config="mmdet::a/x.py", model="m1", kind="A"),
    dict(config="mmdet::a/y.py", model="m1", kind="A"),
    dict(config="mmdet::b/z.py", model="m2", kind="B"),
    dict(config="mmseg::c/w.py", model="m3", kind="C"),
    dict(config="mmseg::c/v.py", model="m4", kind="C"),
    dict(config="mmdet::d/r.py", model=None, reason="its text tower"),
    dict(config="mmfastervit::det/own.py", model="m5", kind="A"),
]
BASE = dict(reason=None, family=None, seconds=10.0, gigabytes=1.0)
MATCHING = dict(status="matching", sizes="any batch, 128x128 pixels", compared=70, shaky=2)
TRIED = {
    "m1": {**BASE, **MATCHING, "family": "dense"},
    "m2": {**BASE, "status": "refused", "reason": "whole models are | exported of these"},
    "m3": {**BASE, "status": "failed", "reason": "E: deep", "family": "segmentors"},
    "m5": {**BASE, **MATCHING, "family": "dense", "seconds": 50.0},
}


def page_of(tmp_path, tried=TRIED) -> str:
    target = tmp_path / "docs" / "page.md"
    write_report(FOUND, tried, "fastervit_0", "on a day", target)
    return target.read_text()


def test_models_are_counted_by_package_and_family(tmp_path):
    page = page_of(tmp_path)
    assert "7 configs, 5 models, 1 of them of our recipes. 1 configs have none" in page
    assert "read. 1 of them were not tried yet." in page
    assert "|  | mmdet | mmseg | zoos together | our recipes |" in page
    assert "| **exported, and matching** | 1 (50.0%) | 0 (0.0%) | 1 (33.3%) | 1 (100.0%) |" in page
    assert "| dense | 2 |  |  |" in page
    assert "| segmentors |  | 1 |  |" in page


def test_reasons_stand_with_the_configs(tmp_path):
    page = page_of(tmp_path)
    assert "| 1 | `whole models are \\| exported of these` | `mmdet::b/z.py` |" in page
    assert "| 1 | `E: deep` | `mmseg::c/w.py` |" in page
    assert "| `mmdet::a/x.py` | 2 | any batch, 128x128 pixels | 70 | 2 | 10 |" in page


def test_time_is_told_without_models_whose_process_was_ended(tmp_path):
    ended = dict(status="failed", reason="longer than 3 s", family=None)
    page = page_of(tmp_path, {**TRIED, "m3": ended})
    assert "10 s of one core in the middle, 50 s at most, all together 0.0 h" in page
    assert "`longer than 3 s`" in page


def test_a_part_of_the_zoos_is_no_page_of_all(tmp_path):
    write_report(FOUND, TRIED, "fastervit_0", "on a day", tmp_path / "x.md", ["retina", "fcos_"])
    page = (tmp_path / "x.md").read_text()
    assert "**A part of them**, of configs with one of these in the name: `retina`, `fcos_`" in page
    assert "A part of them" not in page_of(tmp_path)


def test_a_page_of_nothing_tried_is_a_page(tmp_path):
    assert "5 of them were not tried yet" in page_of(tmp_path, {})
