# fastervit_0 in place of the backbone, by `mmfastervit swap`.
_base_ = "mmseg::sem_fpn/fpn_r50_4xb2-80k_cityscapes-512x1024.py"

model = dict(
    backbone=dict(
        _delete_=True,
        type="mmfastervit.FasterViT",
        arch="fastervit_0",
        norm_cfg=dict(type="SyncBN", requires_grad=True),
        init_cfg=dict(type="Pretrained", checkpoint="mmfastervit://fastervit_0_224_1k"),
    ),
    neck=dict(in_channels=[64, 128, 256, 512]),
    pretrained=None,
)

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=4.2e-05, weight_decay=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)

param_scheduler = [
    dict(type="LinearLR", start_factor=1e-06, by_epoch=False, begin=0, end=1500),
    dict(type="PolyLR", eta_min=4.2e-07, power=0.9, begin=0, end=80000, by_epoch=False),
]
