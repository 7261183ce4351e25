_base_ = "./cascade-mask-rcnn_fastervit-0_fpn_amp-ms-crop-3x_coco.py"

model = dict(
    backbone=dict(
        arch="fastervit_4_21k_224",
        init_cfg=dict(checkpoint="mmfastervit://fastervit_4_21k_224_w14"),
    ),
    neck=dict(in_channels=[196, 392, 784, 1568]),
)
