# Cascade Mask R-CNN on the data of `mmfastervit shapes`, from scratch and small enough for a
# CPU: the COCO recipe's structure with narrower heads, fewer proposals and fewer sampled regions.
_base_ = "./cascade-mask-rcnn_fastervit-0_fpn_amp-ms-crop-3x_coco.py"

data_root = "data/shapes/"
metainfo = dict(classes=("circle", "square", "triangle"))
image_scale = (224, 224)  # windows of 7 tile its maps
width = 64

roi_extractor = dict(out_channels=width, roi_layer=dict(sampling_ratio=2))
bbox_head = _base_.model.roi_head.bbox_head
rcnn = _base_.model.train_cfg.rcnn
for stage in range(3):
    bbox_head[stage].update(
        num_classes=3,
        num_shared_convs=1,
        in_channels=width,
        conv_out_channels=64,
        fc_out_channels=256,
        norm_cfg=dict(type="BN"),
    )
    bbox_head[stage].loss_bbox.loss_weight = 4.0
    rcnn[stage].sampler.update(num=32, pos_fraction=0.4)
del stage

model = dict(
    data_preprocessor=dict(pad_size_divisor=16),
    backbone=dict(drop_path_rate=0.0, init_cfg=None),
    neck=dict(out_channels=width, norm_cfg=dict(type="BN")),
    rpn_head=dict(in_channels=width, feat_channels=width, anchor_generator=dict(scales=[6])),
    roi_head=dict(
        bbox_roi_extractor=roi_extractor,
        bbox_head=bbox_head,
        mask_roi_extractor=roi_extractor,
        mask_head=dict(num_convs=1, in_channels=width, conv_out_channels=48, num_classes=3),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=128)),
        rpn_proposal=dict(nms_pre=200, max_per_img=100),
        rcnn=rcnn,
    ),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=100), rcnn=dict(max_per_img=50)),
)

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    dict(type="Resize", scale=image_scale, keep_ratio=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackDetInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=image_scale, keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    dict(
        type="PackDetInputs",
        meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor"),
    ),
]
train_dataloader = dict(
    batch_size=2,
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file="instances_train.json",
        data_prefix=dict(img="images/training/"),
        filter_cfg=dict(min_size=1),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=4,
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file="instances_val.json",
        data_prefix=dict(img="images/validation/"),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + "instances_val.json")
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=1, val_interval=1)  # 200 iterations
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=80, end=200, T_max=120),
]
optim_wrapper = dict(
    type="OptimWrapper", optimizer=dict(lr=2e-3, fused=True), clip_grad=dict(max_norm=10)
)
auto_scale_lr = dict(base_batch_size=2)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=1))
