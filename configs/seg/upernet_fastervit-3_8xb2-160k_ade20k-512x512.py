_base_ = "./upernet_fastervit-0_8xb2-160k_ade20k-512x512.py"

model = dict(
    backbone=dict(arch="fastervit_3", init_cfg=dict(checkpoint="mmfastervit://fastervit_3_224_1k")),
    decode_head=dict(in_channels=[128, 256, 512, 1024]),
    auxiliary_head=dict(in_channels=512),
)
