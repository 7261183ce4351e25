# fastervit_0 in place of the backbone, by `mmfastervit swap`.
_base_ = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"

model = dict(
    backbone=dict(
        _delete_=True,
        type="mmfastervit.FasterViT",
        arch="fastervit_0",
        out_indices=(1, 2, 3),
        init_cfg=dict(type="Pretrained", checkpoint="mmfastervit://fastervit_0_224_1k"),
    ),
    neck=dict(in_channels=[128, 256, 512], start_level=0),
)

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=0.0001, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
