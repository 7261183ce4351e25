# Mask2Former for semantic segmentation: the zoo's recipe.
_base_ = [
    "mmseg::mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py",
    "../_base_/weight_decay.py",
    "../_base_/multi_scale.py",
]

custom_imports = dict(imports=["mmdet.models", "mmfastervit"], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type="mmfastervit.FasterViT",
        arch="fastervit_2",
        drop_path_rate=0.3,
        # From a file: --cfg-options model.backbone.init_cfg.checkpoint=FILE
        # From scratch: --cfg-options model.backbone.init_cfg=None
        init_cfg=dict(type="Pretrained", checkpoint="mmfastervit://fastervit_2_224_1k"),
    ),
    decode_head=dict(in_channels=[96, 192, 384, 768]),
)

# Of the keys in a parameter's name the longest decides: the backbone's rate stands in each.
custom_keys = {key: dict(lr_mult=0.1, decay_mult=0.0) for key in _base_.undecayed}
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=custom_keys))
tta_pipeline = _base_.multi_scale
default_hooks = dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook"))
