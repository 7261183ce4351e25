# RTMDet for 100 epochs, 128 images a step: the large model's neck and head, Swin's recipe.
_base_ = ["mmdet::rtmdet/rtmdet_l_swin_b_4xb32-100e_coco.py", "../_base_/weight_decay.py"]

custom_imports = dict(imports=["mmfastervit"], allow_failed_imports=False)
checkpoint = None  # the base's, of another backbone

model = dict(
    backbone=dict(
        _delete_=True,
        type="mmfastervit.FasterViT",
        arch="fastervit_0",
        out_indices=(1, 2, 3),
        drop_path_rate=0.2,
        # From a file: --cfg-options model.backbone.init_cfg.checkpoint=FILE
        # From scratch: --cfg-options model.backbone.init_cfg=None
        init_cfg=dict(type="Pretrained", checkpoint="mmfastervit://fastervit_0_224_1k"),
    ),
    neck=dict(in_channels=[128, 256, 512]),
)

optim_wrapper = dict(paramwise_cfg=dict(custom_keys=_base_.undecayed))
auto_scale_lr = dict(base_batch_size=128)
custom_hooks = [*_base_.custom_hooks, dict(type="NumClassCheckHook")]
default_hooks = dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook"))
