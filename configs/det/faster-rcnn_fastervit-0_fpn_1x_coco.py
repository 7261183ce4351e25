# Faster R-CNN for 12 epochs, boxes alone, with the AdamW and warm-up of the recipes with masks.
_base_ = ["mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py", "../_base_/weight_decay.py"]

custom_imports = dict(imports=["mmfastervit"], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type="mmfastervit.FasterViT",
        arch="fastervit_0",
        drop_path_rate=0.2,
        # From a file: --cfg-options model.backbone.init_cfg.checkpoint=FILE
        # From scratch: --cfg-options model.backbone.init_cfg=None
        init_cfg=dict(type="Pretrained", checkpoint="mmfastervit://fastervit_0_224_1k"),
    ),
    neck=dict(in_channels=[64, 128, 256, 512]),
)

optim_wrapper = dict(
    _delete_=True,
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys=_base_.undecayed),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=1000),
    dict(type="MultiStepLR", begin=0, end=12, by_epoch=True, milestones=[8, 11], gamma=0.1),
]
custom_hooks = [dict(type="NumClassCheckHook")]
default_hooks = dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook"))
