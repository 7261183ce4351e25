# DINO with four scales for 12 epochs, with the settings of FasterViT's authors: a tenth of the rate
# for the backbone, weight decay 1e-4, drop path 0.1, the last three maps.
_base_ = ["mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py", "../_base_/weight_decay.py"]

custom_imports = dict(imports=["mmfastervit"], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type="mmfastervit.FasterViT",
        arch="fastervit_0",
        out_indices=(1, 2, 3),
        drop_path_rate=0.1,
        # From a file: --cfg-options model.backbone.init_cfg.checkpoint=FILE
        # From scratch: --cfg-options model.backbone.init_cfg=None
        init_cfg=dict(type="Pretrained", checkpoint="mmfastervit://fastervit_0_224_1k"),
    ),
    neck=dict(in_channels=[128, 256, 512]),
)

# Of the keys in a parameter's name the longest decides: the backbone's rate stands in each.
custom_keys = {key: dict(lr_mult=0.1, decay_mult=0.0) for key in _base_.undecayed}
optim_wrapper = dict(paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys=custom_keys))
custom_hooks = [dict(type="NumClassCheckHook")]
default_hooks = dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook"))
