# The zoo's UperNet with ConvNeXt-T, and one HAT block after the blocks of each of its last two
# stages. ConvNeXt's weights load as before; at the start the model computes what it did.
_base_ = [
    "mmseg::convnext/convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512.py",
    "../_base_/weight_decay.py",
    "../_base_/multi_scale.py",
]

custom_imports = dict(imports=["mmpretrain.models", "mmfastervit"], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type="mmfastervit.HATBackbone",
        backbone=_base_.model.backbone,
        stages=(2, 3),
        plugin=dict(depth=1),
    )
)
# The base's own constructor gives ConvNeXt's layers rates by groups; this one gives the first layer
# the same share of the rate, 0.48, and knows HAT's parameters.
optim_wrapper = dict(
    constructor="mmfastervit.LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(
        _delete_=True,
        layer_decay_rate=0.966,
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        flat_decay_mult=0.0,
        custom_keys=_base_.undecayed,
    ),
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
tta_pipeline = _base_.multi_scale
default_hooks = dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook"))
