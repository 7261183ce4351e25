# The zoo's UperNet with ConvNeXt-T, and one HAT block after the blocks of each of its last two
# stages. ConvNeXt's weights load as before; at the start the model computes what it did.
_base_ = "mmseg::convnext/convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512.py"

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
default_hooks = dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook"))
