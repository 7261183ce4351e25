# The zoo's UperNet with Swin-T, and one HAT block after the blocks of each of its last two
# stages. Swin's weights load as before; at the start the model computes what it did.
_base_ = [
    "mmseg::swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py",
    "../_base_/weight_decay.py",
    "../_base_/multi_scale.py",
]

custom_imports = dict(imports=["mmfastervit"], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type="mmfastervit.HATBackbone",
        backbone=_base_.model.backbone,
        stages=(2, 3),
        plugin=dict(depth=1),
    )
)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=_base_.undecayed))
auto_scale_lr = dict(enable=False, base_batch_size=16)
tta_pipeline = _base_.multi_scale
default_hooks = dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook"))
