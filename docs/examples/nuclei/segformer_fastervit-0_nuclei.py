# The recipe of SegFormer's head on label maps of cell nuclei: from scratch, its schedule's shape in
# 400 iterations of 2 crops. Photos are looked for in `data/nuclei`.
_base_ = "../../../configs/seg/segformer_fastervit-0_8xb2-160k_ade20k-512x512.py"

from mmfastervit.engine.tta import multi_scale_pipeline

data_root = "data/nuclei/"
metainfo = dict(classes=("background", "nucleus"), palette=[[0, 0, 0], [230, 159, 0]])
crop_size = (224, 224)
image_scale = (320, 320)
max_iters = 400

norm_cfg = dict(type="BN", requires_grad=True)
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(drop_path_rate=0.0, init_cfg=None),
    decode_head=dict(channels=64, num_classes=2, norm_cfg=norm_cfg),
)

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomResize", scale=image_scale, ratio_range=(0.75, 1.5), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PhotoMetricDistortion"),
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
    _delete_=True,
    type="BaseSegDataset",
    data_root=data_root,
    metainfo=metainfo,
    img_suffix=".png",
    seg_map_suffix=".png",
    reduce_zero_label=False,
)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        **dataset,
        data_prefix=dict(img_path="train", seg_map_path="train_semantic"),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        **dataset,
        data_prefix=dict(img_path="val", seg_map_path="val_semantic"),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
del dataset

train_cfg = dict(max_iters=max_iters, val_interval=100)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type="PolyLR", eta_min=0.0, power=1.0, begin=20, end=max_iters, by_epoch=False),
]
optim_wrapper = dict(optimizer=dict(lr=3e-4), clip_grad=dict(max_norm=1))
default_hooks = dict(
    logger=dict(interval=10), checkpoint=dict(interval=max_iters, max_keep_ckpts=1)
)
