# Cascade Mask R-CNN with Swin-T, and one HAT block after the blocks of each of its last two stages.
# The zoo has Swin-T with Mask R-CNN only: detector and schedule are those of its ConvNeXt recipe,
# backbone and optimizer those of its Swin recipe.
_base_ = [
    "mmdet::convnext/cascade-mask-rcnn_convnext-t-p4-w7_fpn_4conv1fc-giou_amp-ms-crop-3x_coco.py",
    "../_base_/weight_decay.py",
]

custom_imports = dict(imports=["mmfastervit"], allow_failed_imports=False)
checkpoint_file = "https://github.com/SwinTransformer/storage/releases/download/v1.0.0/swin_tiny_patch4_window7_224.pth"

model = dict(
    backbone=dict(
        _delete_=True,
        type="mmfastervit.HATBackbone",
        backbone=dict(
            type="mmdet.SwinTransformer",
            drop_path_rate=0.2,
            convert_weights=True,
            init_cfg=dict(type="Pretrained", checkpoint=checkpoint_file),
        ),
        stages=(2, 3),
        plugin=dict(depth=1),
    )
)

optim_wrapper = dict(
    _delete_=True,
    type="AmpOptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(
        custom_keys={
            "relative_position_bias_table": dict(decay_mult=0.0),
            "norm": dict(decay_mult=0.0),
            **_base_.undecayed,
        }
    ),
)
custom_hooks = [dict(type="NumClassCheckHook")]
default_hooks = dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook"))
