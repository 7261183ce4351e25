# Parameters in shards over the GPUs, see docs/long-runs.md; started by a launcher alone.
_base_ = "./cascade-mask-rcnn_fastervit-0_fpn_amp-ms-crop-3x_coco.py"

model = dict(
    backbone=dict(
        arch="fastervit_5",
        with_cp=True,
        init_cfg=dict(checkpoint="mmfastervit://fastervit_5_224_1k"),
    ),
    neck=dict(in_channels=[320, 640, 1280, 2560]),
)
runner_type = "mmfastervit.ShardedRunner"
optim_wrapper = dict(type="mmfastervit.BFloat16OptimWrapper")
