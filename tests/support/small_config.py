"""A config that no run is made of, to see what options do to it."""

from mmengine.config import Config

DET_PIPELINE = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(8, 8)),
    dict(type="Pad", size_divisor=8),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "flip")),
]
SEG_PIPELINE = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs"),
]


def small_config(**changes) -> Config:
    content = dict(
        default_scope="mmdet",
        model=dict(type="Detector", test_cfg=dict(rcnn=dict(nms=dict(type="nms"), max_per_img=7))),
        optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.1)),
        train_cfg=dict(max_epochs=1),
        test_dataloader=dict(dataset=dict(type="CocoDataset", pipeline=DET_PIPELINE)),
        test_evaluator=dict(type="CocoMetric"),
        default_hooks=dict(logger=dict(type="LoggerHook")),
        launcher="none",
    )
    return Config({**content, **changes})
