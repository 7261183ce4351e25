# Mask R-CNN for 12 epochs: Swin's recipe with FasterViT-0.
_base_ = ["mmdet::swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py", "../_base_/weight_decay.py"]

custom_imports = dict(imports=["mmfastervit"], allow_failed_imports=False)
pretrained = None  # the base's, of another backbone

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
    paramwise_cfg=dict(_delete_=True, norm_decay_mult=0.0, custom_keys=_base_.undecayed)
)
custom_hooks = [dict(type="NumClassCheckHook")]
default_hooks = dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook"))
