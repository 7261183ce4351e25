_base_ = "./fpn_fastervit-0_8xb4-80k_ade20k-512x512.py"

model = dict(
    backbone=dict(arch="fastervit_2", init_cfg=dict(checkpoint="mmfastervit://fastervit_2_224_1k")),
    neck=dict(in_channels=[96, 192, 384, 768]),
)
