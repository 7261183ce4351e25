_base_ = "./upernet_fastervit-0_8xb2-160k_ade20k-512x512.py"

model = dict(
    backbone=dict(arch="fastervit_1", init_cfg=dict(checkpoint="mmfastervit://fastervit_1_224_1k")),
    decode_head=dict(in_channels=[80, 160, 320, 640]),
    auxiliary_head=dict(in_channels=320),
)
