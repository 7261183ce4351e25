# UperNet on COCO-Stuff with 164k images: the optimizer of the ADE20K recipe.
_base_ = [
    "mmseg::_base_/models/upernet_r50.py",
    "mmseg::_base_/datasets/coco-stuff164k.py",
    "mmseg::_base_/default_runtime.py",
    "mmseg::_base_/schedules/schedule_80k.py",
    "../_base_/weight_decay.py",
    "../_base_/multi_scale.py",
]

custom_imports = dict(imports=["mmfastervit"], allow_failed_imports=False)

model = dict(
    data_preprocessor=dict(size=(512, 512)),
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type="mmfastervit.FasterViT",
        arch="fastervit_0",
        # From a file: --cfg-options model.backbone.init_cfg.checkpoint=FILE
        # From scratch: --cfg-options model.backbone.init_cfg=None
        init_cfg=dict(type="Pretrained", checkpoint="mmfastervit://fastervit_0_224_1k"),
    ),
    decode_head=dict(in_channels=[64, 128, 256, 512], num_classes=171),
    auxiliary_head=dict(in_channels=256, num_classes=171),
)

optim_wrapper = dict(
    _delete_=True,
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys=_base_.undecayed),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type="PolyLR", eta_min=0.0, power=1.0, begin=1500, end=80000, by_epoch=False),
]
auto_scale_lr = dict(enable=False, base_batch_size=16)
tta_pipeline = _base_.multi_scale
default_hooks = dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook"))
