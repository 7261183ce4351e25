_base_ = "./upernet_fastervit-0_4xb2-80k_cityscapes-512x1024.py"

model = dict(
    backbone=dict(arch="fastervit_2", init_cfg=dict(checkpoint="mmfastervit://fastervit_2_224_1k")),
    decode_head=dict(in_channels=[96, 192, 384, 768]),
    auxiliary_head=dict(in_channels=384),
)
