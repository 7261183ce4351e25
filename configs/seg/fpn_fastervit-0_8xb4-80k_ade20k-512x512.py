# Semantic FPN on ADE20K, 80k iterations of 32 images: the recipe of Twins.
_base_ = [
    "mmseg::twins/twins_svt-s_fpn_fpnhead_8xb4-80k_ade20k-512x512.py",
    "../_base_/weight_decay.py",
    "../_base_/multi_scale.py",
]

custom_imports = dict(imports=["mmfastervit"], allow_failed_imports=False)
checkpoint = None  # the base's, of another backbone

model = dict(
    backbone=dict(
        _delete_=True,
        type="mmfastervit.FasterViT",
        arch="fastervit_0",
        # From a file: --cfg-options model.backbone.init_cfg.checkpoint=FILE
        # From scratch: --cfg-options model.backbone.init_cfg=None
        init_cfg=dict(type="Pretrained", checkpoint="mmfastervit://fastervit_0_224_1k"),
    ),
    neck=dict(in_channels=[64, 128, 256, 512]),
)

optim_wrapper = dict(paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys=_base_.undecayed))
auto_scale_lr = dict(enable=False, base_batch_size=32)
tta_pipeline = _base_.multi_scale
default_hooks = dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook"))
