_base_ = "./segformer_fastervit-0_8xb2-160k_ade20k-512x512.py"

model = dict(
    backbone=dict(arch="fastervit_2", init_cfg=dict(checkpoint="mmfastervit://fastervit_2_224_1k")),
    decode_head=dict(in_channels=[96, 192, 384, 768]),
)
