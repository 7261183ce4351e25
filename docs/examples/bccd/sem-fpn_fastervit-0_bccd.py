# Segmentation, swapped to FasterViT-0 by `mmfastervit swap`, on blood cells.
_base_ = "./sem-fpn_fastervit-0.py"

from mmfastervit.engine.tta import multi_scale_pipeline

data_root = "data/bccd/"
metainfo = dict(
    classes=("background", "RBC", "WBC", "Platelets"),
    palette=[[0, 0, 0], [220, 60, 60], [80, 80, 230], [240, 200, 40]],
)
image_scale = (320, 240)  # the photos are 640x480
crop_size = (224, 224)
norm_cfg = dict(type="BN", requires_grad=True)

model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(drop_path_rate=0.0, init_cfg=None, norm_cfg=norm_cfg),  # from scratch
    decode_head=dict(num_classes=4, norm_cfg=norm_cfg),
)

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomResize", scale=image_scale, ratio_range=(0.9, 1.2), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackSegInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=image_scale, keep_ratio=True),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs"),
]
tta_pipeline = multi_scale_pipeline(test_pipeline)
dataset = dict(
    type="BaseSegDataset",
    data_root=data_root,
    metainfo=metainfo,
    img_suffix=".jpg",
    seg_map_suffix=".png",
    reduce_zero_label=False,
)
train_dataloader = dict(
    _delete_=True,
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    dataset=dict(
        data_prefix=dict(img_path="train", seg_map_path="train_semantic"),
        pipeline=train_pipeline,
        **dataset,
    ),
)
val_dataloader = dict(
    _delete_=True,
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        data_prefix=dict(img_path="val", seg_map_path="val_semantic"),
        pipeline=test_pipeline,
        **dataset,
    ),
)
test_dataloader = val_dataloader
del dataset

max_iters = 200
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type="CosineAnnealingLR", begin=20, end=max_iters, eta_min=1e-6, by_epoch=False),
]
optim_wrapper = dict(
    optimizer=dict(lr=1e-3, weight_decay=0.05), clip_grad=dict(_delete_=True, max_norm=1)
)
default_hooks = dict(
    logger=dict(interval=10), checkpoint=dict(interval=max_iters), visualization=dict(interval=4)
)
