# fastervit_0 in place of the backbone, by `mmfastervit swap`.
_base_ = "mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py"

model = dict(
    backbone=dict(
        _delete_=True,
        type="mmfastervit.FasterViT",
        arch="fastervit_0",
        out_indices=(1, 2, 3),
        init_cfg=dict(type="Pretrained", checkpoint="mmfastervit://fastervit_0_224_1k"),
    ),
    neck=dict(in_channels=[128, 256, 512]),
)
