# UperNet on crops of 640x640, in mixed precision, with the weights that FasterViT's authors trained
# on ImageNet-21K and 512x512: the data and test settings of ConvNeXt's recipe, our optimizer.
_base_ = [
    "mmseg::convnext/convnext-base_upernet_8xb2-amp-160k_ade20k-640x640.py",
    "../_base_/weight_decay.py",
    "../_base_/multi_scale_640.py",
]

custom_imports = dict(imports=["mmfastervit"], allow_failed_imports=False)
checkpoint_file = None  # the base's, of another backbone

model = dict(
    backbone=dict(
        _delete_=True,
        type="mmfastervit.FasterViT",
        arch="fastervit_4_21k_512",
        # From a file: --cfg-options model.backbone.init_cfg.checkpoint=FILE
        # From scratch: --cfg-options model.backbone.init_cfg=None
        init_cfg=dict(type="Pretrained", checkpoint="mmfastervit://fastervit_4_21k_512_w32"),
    ),
    decode_head=dict(in_channels=[196, 392, 784, 1568]),
    auxiliary_head=dict(in_channels=784),
)

optim_wrapper = dict(
    _delete_=True,
    type="AmpOptimWrapper",
    optimizer=dict(type="AdamW", lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys=_base_.undecayed),
    loss_scale="dynamic",
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
tta_pipeline = _base_.multi_scale
default_hooks = dict(checkpoint=dict(type="mmfastervit.SafeCheckpointHook"))
