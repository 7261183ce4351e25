_base_ = "./mask-rcnn_fastervit-0_fpn_amp-ms-crop-3x_coco.py"

model = dict(
    backbone=dict(arch="fastervit_1", init_cfg=dict(checkpoint="mmfastervit://fastervit_1_224_1k")),
    neck=dict(in_channels=[80, 160, 320, 640]),
)
