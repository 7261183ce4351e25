"""Configs of small models for photos of cells, and what trains and measures them."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared/data"
ARCH = "dict(_delete_=True, dim=16, in_dim=16, depths=(1, 1, 2, 1), num_heads=(1, 2, 2, 4))"
MAPS = "[16, 32, 64, 128]"
NARROW = f"""
_base_ = "{ROOT}/docs/examples/bccd/faster-rcnn_fastervit-0_bccd.py"
model = dict(
    backbone=dict(arch={ARCH}),
    neck=dict(in_channels={MAPS}, out_channels=64),
    rpn_head=dict(in_channels=64, feat_channels=64),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64),
        bbox_head=dict(in_channels=64, fc_out_channels=128),
    ),
    test_cfg=dict(rpn=dict(nms_pre=400, max_per_img=200)),
)
train_dataloader = dict(num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=3, val_interval=3)
default_hooks = dict(checkpoint=dict(interval=3))
"""
MASKS = f"""
_base_ = "{ROOT}/docs/examples/nuclei/mask-rcnn_fastervit-0_nuclei.py"
model = dict(backbone=dict(arch={ARCH}), neck=dict(in_channels={MAPS}))
train_cfg = dict(max_epochs=2, val_interval=2)
default_hooks = dict(checkpoint=dict(interval=2))
"""
MAPPED = f"""
_base_ = "{ROOT}/docs/examples/nuclei/segformer_fastervit-0_nuclei.py"
model = dict(backbone=dict(arch={ARCH}), decode_head=dict(in_channels={MAPS}))
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(320, 320), keep_ratio=False),  # a file of one size takes them all
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs"),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = test_dataloader
train_cfg = dict(max_iters=1500, val_interval=1500)
default_hooks = dict(checkpoint=dict(interval=1500))
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type="PolyLR", eta_min=0.0, power=1.0, begin=20, end=1500, by_epoch=False),
]
"""
# config, options of the export, metrics and their largest value
CASES = {
    "bccd": (NARROW, ("--one-size", "--size", "240", "320"), ("coco/bbox_mAP",), 1.0),
    "nuclei": (MASKS, ("--size", "320", "320"), ("coco/bbox_mAP", "coco/segm_mAP"), 1.0),
    "nuclei maps": (
        MAPPED,
        ("--logits", "--one-size", "--size", "320", "320"),
        ("mIoU",),
        100.0,
    ),
}


def run(folder: Path, *words: str) -> None:
    env = os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "mmfastervit", *words],
        cwd=folder, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def measured(folder: Path, *words: str) -> dict[str, float]:
    """The metrics of a test."""
    run(folder, "test", "config.py", *words, "--work-dir", "tested")
    newest = max(folder.glob("tested/*/*.json"), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(newest.read_text())
