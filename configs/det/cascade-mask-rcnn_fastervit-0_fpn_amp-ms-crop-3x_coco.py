# The Swin / ConvNeXt recipe (36 epochs, multi-scale crops, AMP, 4conv1fc heads with GIoU) with
# FasterViT-0, and the learning rate, weight decay and drop path that FasterViT's authors used.
# The zoo's config asks for mmpretrain and layer-wise decay; neither is needed here.
_base_ = [
    "mmdet::convnext/cascade-mask-rcnn_convnext-t-p4-w7_fpn_4conv1fc-giou_amp-ms-crop-3x_coco.py",
    "../_base_/weight_decay.py",
]

custom_imports = dict(imports=["mmfastervit"], allow_failed_imports=False)
checkpoint_file = None  # the base's, of another backbone

model = dict(
    backbone=dict(
        _delete_=True,
        type="mmfastervit.FasterViT",
        arch="fastervit_0",
        drop_path_rate=0.2,
        # From a file: --cfg-options model.backbone.init_cfg.checkpoint=FILE
        # From scratch: --cfg-options model.backbone.init_cfg=None
        init_cfg=dict(type="Pretrained", checkpoint="mmfastervit://fastervit_0_224_1k"),
    ),
    neck=dict(in_channels=[64, 128, 256, 512]),
)

optim_wrapper = dict(
    _delete_=True,
    type="AmpOptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys=_base_.undecayed),
)
custom_hooks = [dict(type="NumClassCheckHook")]
default_hooks = dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook"))
