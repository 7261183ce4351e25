"""A detector and a segmentor so small that a run takes a second, on drawn shapes of 64 pixels."""

import copy
import json
import uuid
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from mmengine.runner import Runner

from mmfastervit.datasets.shapes import write_dataset
from support.stacks import FORMATTER

ARCH = dict(dim=8, in_dim=8, depths=(1, 1, 2, 1), num_heads=(1, 1, 2, 2), layer_scale=0.5)
TASKS = ("det", "seg")
SIZE = 64
NAMES = ("circle", "square", "triangle")

_RUN = dict(
    custom_imports=dict(imports=["mmfastervit"], allow_failed_imports=False),
    optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=1e-3)),
    param_scheduler=[dict(type="LinearLR", start_factor=0.1, by_epoch=False, end=2)],
    train_cfg=dict(by_epoch=False, max_iters=1, val_interval=100),
    val_cfg=dict(),
    test_cfg=dict(),
    default_hooks=dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook", by_epoch=False)),
    log_processor=dict(by_epoch=False),
    log_level="WARNING",
)
_BACKBONE = dict(type="mmfastervit.FasterViT", arch=ARCH, out_indices=(1, 2, 3))
_DETECTOR = dict(
    type="RetinaNet",
    data_preprocessor=dict(
        type="DetDataPreprocessor", mean=[0] * 3, std=[255] * 3, pad_size_divisor=32
    ),
    backbone=_BACKBONE,
    neck=dict(type="FPN", in_channels=[16, 32, 64], out_channels=16, num_outs=3),
    bbox_head=dict(
        type="RetinaHead",
        num_classes=3,
        in_channels=16,
        feat_channels=16,
        stacked_convs=1,
        anchor_generator=dict(
            type="AnchorGenerator", scales=[4], ratios=[1.0], strides=[8, 16, 32]
        ),
    ),
    train_cfg=dict(
        assigner=dict(type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0),
        sampler=dict(type="PseudoSampler"),
        allowed_border=-1,
        pos_weight=-1,
    ),
    test_cfg=dict(
        nms_pre=50, min_bbox_size=0, score_thr=0.05, nms=dict(type="nms", iou_threshold=0.5),
        max_per_img=10,
    ),
)  # fmt: skip
_SEGMENTOR = dict(
    type="EncoderDecoder",
    data_preprocessor=dict(
        type="SegDataPreProcessor", mean=[0] * 3, std=[255] * 3, size=(SIZE, SIZE), seg_pad_val=255
    ),
    backbone=_BACKBONE,
    decode_head=dict(
        type="FCNHead",
        in_channels=64,
        in_index=2,
        channels=16,
        num_convs=1,
        num_classes=4,
        norm_cfg=dict(type="BN"),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)


def little_run(task: str, folder: Path, evaluate: bool = True) -> dict[str, Any]:
    """The whole config of a run on the data that :func:`draw` makes in ``folder``."""
    parts = dict(det=_detection, seg=_segmentation)[task](folder)
    content = copy.deepcopy(dict(_RUN, **parts))
    if not evaluate:
        content.update(val_dataloader=None, val_cfg=None, val_evaluator=None)
    return content


def draw(folder: Path) -> None:
    """Make the data of both tasks."""
    write_dataset(folder / "shapes", train=4, val=2, size=SIZE, seed=0)


def quicken(patch: pytest.MonkeyPatch) -> None:
    """Leave out what mmengine does for its logs: a second of asking compilers, formatting one.

    mmengine also takes runs of the same second for one.
    """
    patch.setattr("time.strftime", lambda *_: uuid.uuid4().hex)
    patch.setattr("mmengine.runner.runner.collect_env", dict)
    patch.setattr(Runner, "build_visualizer", lambda *_: MagicMock())  # it draws
    patch.setattr("logging.raiseExceptions", False)  # loggers keep the streams of former tests
    patch.setattr(FORMATTER, lambda text, **_: (text, True))


def written(config: dict[str, Any], path: Path) -> Path:
    """Write a config to a file, flat and as JSON, which reads fast."""
    path = path.with_suffix(".json")
    path.write_text(json.dumps(config))
    return path


def _detection(folder: Path) -> dict[str, Any]:
    load, box = dict(type="LoadImageFromFile"), dict(type="LoadAnnotations", with_bbox=True)
    keys = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")
    resize = dict(type="Resize", scale_factor=1.0, keep_ratio=True)
    pipeline = [load, box, resize, dict(type="PackDetInputs")]
    loaders = {}
    for part, name, tail in (
        ("train", "training", pipeline),
        ("val", "validation", [load, box, resize, dict(type="PackDetInputs", meta_keys=keys)]),
    ):
        loaders[part] = dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type="InfiniteSampler" if part == "train" else "DefaultSampler"),
            dataset=dict(
                type="CocoDataset",
                serialize_data=False,  # which would collect all garbage first
                data_root=str(folder / "shapes"),
                metainfo=dict(classes=NAMES),
                ann_file=f"instances_{part}.json",
                data_prefix=dict(img=f"images/{name}/"),
                test_mode=part != "train",
                pipeline=tail,
            ),
        )
    metric = dict(
        type="CocoMetric", metric="bbox", ann_file=str(folder / "shapes/instances_val.json")
    )
    return _around(_DETECTOR, "mmdet", loaders, metric)


def _segmentation(folder: Path) -> dict[str, Any]:
    load = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations")]
    loaders = {}
    for part, name in (("train", "training"), ("val", "validation")):
        loaders[part] = dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type="InfiniteSampler" if part == "train" else "DefaultSampler"),
            dataset=dict(
                type="BaseSegDataset",
                serialize_data=False,
                data_root=str(folder / "shapes"),
                metainfo=dict(classes=("background", *NAMES), palette=[[i] * 3 for i in range(4)]),
                data_prefix=dict(img_path=f"images/{name}", seg_map_path=f"annotations/{name}"),
                img_suffix=".jpg",
                seg_map_suffix=".png",
                reduce_zero_label=False,
                pipeline=[*load, dict(type="PackSegInputs")],
            ),
        )
    return _around(_SEGMENTOR, "mmseg", loaders, dict(type="IoUMetric", iou_metrics=["mIoU"]))


def _around(model: dict, scope: str, loaders: dict, metric: dict) -> dict[str, Any]:
    return dict(
        default_scope=scope,
        model=model,
        train_dataloader=loaders["train"],
        val_dataloader=loaders["val"],
        test_dataloader=loaders["val"],
        val_evaluator=metric,
        test_evaluator=metric,
    )
