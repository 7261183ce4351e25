# The usual UperNet recipe on ADE20K (AdamW 6e-5, 160k iterations, 512x512 crops), FasterViT-0.
_base_ = [
    "mmseg::swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py",
    "../_base_/weight_decay.py",
    "../_base_/multi_scale.py",
]

custom_imports = dict(imports=["mmfastervit"], allow_failed_imports=False)
checkpoint_file = None  # the base's, of another backbone

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
    auxiliary_head=dict(in_channels=256),
)

optim_wrapper = dict(
    paramwise_cfg=dict(_delete_=True, norm_decay_mult=0.0, custom_keys=_base_.undecayed)
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
tta_pipeline = _base_.multi_scale
default_hooks = dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook"))
