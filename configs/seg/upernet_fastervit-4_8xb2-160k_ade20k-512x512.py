_base_ = "./upernet_fastervit-0_8xb2-160k_ade20k-512x512.py"

model = dict(
    backbone=dict(arch="fastervit_4", init_cfg=dict(checkpoint="mmfastervit://fastervit_4_224_1k")),
    decode_head=dict(in_channels=[196, 392, 784, 1568]),
    auxiliary_head=dict(in_channels=784),
)
