_base_ = "./retinanet_fastervit-0_fpn_1x_coco.py"

model = dict(
    backbone=dict(arch="fastervit_2", init_cfg=dict(checkpoint="mmfastervit://fastervit_2_224_1k")),
    neck=dict(in_channels=[192, 384, 768]),
)
