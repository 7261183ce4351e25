_base_ = "./dino-4scale_fastervit-0_8xb2-36e_coco.py"

model = dict(
    backbone=dict(
        arch="fastervit_4_21k_224",
        with_cp=True,
        init_cfg=dict(checkpoint="mmfastervit://fastervit_4_21k_224_w14"),
    ),
    neck=dict(in_channels=[392, 784, 1568]),
)
