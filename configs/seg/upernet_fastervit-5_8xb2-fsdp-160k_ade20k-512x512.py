# Parameters in shards over the GPUs, see docs/long-runs.md; started by a launcher alone.
_base_ = "./upernet_fastervit-0_8xb2-160k_ade20k-512x512.py"

model = dict(
    backbone=dict(
        arch="fastervit_5",
        with_cp=True,
        init_cfg=dict(checkpoint="mmfastervit://fastervit_5_224_1k"),
    ),
    decode_head=dict(in_channels=[320, 640, 1280, 2560]),
    auxiliary_head=dict(in_channels=1280),
)
runner_type = "mmfastervit.ShardedRunner"
optim_wrapper = dict(type="mmfastervit.BFloat16OptimWrapper")
