_base_ = "./dino-4scale_fastervit-0_8xb2-36e_coco.py"

model = dict(
    backbone=dict(arch="fastervit_2", init_cfg=dict(checkpoint="mmfastervit://fastervit_2_224_1k")),
    neck=dict(in_channels=[192, 384, 768]),
)
