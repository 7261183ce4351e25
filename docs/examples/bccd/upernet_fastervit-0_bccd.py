_base_ = "../../../configs/seg/upernet_fastervit-0_shapes-256x256.py"

from mmfastervit.engine.tta import multi_scale_pipeline

data_root = "data/bccd/"
metainfo = dict(
    classes=("background", "RBC", "WBC", "Platelets"),
    palette=[[0, 0, 0], [220, 60, 60], [80, 80, 230], [240, 200, 40]],
)
num_classes = 4
image_scale = (320, 240)  # the photos are 640x480

model = dict(
    decode_head=dict(num_classes=num_classes), auxiliary_head=dict(num_classes=num_classes)
)

train_pipeline = _base_.train_pipeline
train_pipeline[2].scale = image_scale
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = image_scale
tta_pipeline = multi_scale_pipeline(test_pipeline)

train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        data_prefix=dict(img_path="train", seg_map_path="train_semantic"),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        data_prefix=dict(img_path="val", seg_map_path="val_semantic"),
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader

max_iters = 360
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type="CosineAnnealingLR", begin=20, end=max_iters, eta_min=1e-6, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=max_iters))
