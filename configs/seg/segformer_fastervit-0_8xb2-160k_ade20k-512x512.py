# SegFormer's head on ADE20K, with its own recipe: ten times the rate for the head.
_base_ = [
    "mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py",
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
    decode_head=dict(in_channels=[64, 128, 256, 512]),
)

custom_keys = {"head": dict(lr_mult=10.0), **_base_.undecayed}
optim_wrapper = dict(
    paramwise_cfg=dict(_delete_=True, norm_decay_mult=0.0, custom_keys=custom_keys)
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
tta_pipeline = _base_.multi_scale
default_hooks = dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook"))
