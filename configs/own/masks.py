# Boxes and masks of your own: Mask R-CNN with FasterViT-0. Fill in these five; all else follows.
data_root = "data/mine/"
classes = ("cat", "dog")  # names, as the files have them
files = dict(train=("train.json", "train/"), val=("val.json", "val/"))  # COCO's format, pictures
image_scale = (1333, 800)  # pictures are resized to fit into this width and height
epochs = 24

_base_ = "../det/mask-rcnn_fastervit-0_fpn_1x_coco.py"

num_classes = len(classes)
model = dict(
    roi_head=dict(bbox_head=dict(num_classes=num_classes), mask_head=dict(num_classes=num_classes))
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
        metainfo=dict(classes=classes),
        ann_file=files["train"][0],
        data_prefix=dict(img=files["train"][1]),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    dataset=dict(
        data_root=data_root,
        metainfo=dict(classes=classes),
        ann_file=files["val"][0],
        data_prefix=dict(img=files["val"][1]),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + files["val"][0])
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=epochs)
first = max(1, epochs * 2 // 3)  # the rate falls here, and
second = max(first + 1, epochs * 11 // 12)  # here; of one epoch, not at all
param_scheduler = [
    dict(
        type="mmfastervit.WarmUpLR",
        start_factor=0.001,
        begin=0,
        end=epochs / 20,
        convert_to_iter_based=True,
    ),
    dict(type="MultiStepLR", begin=0, end=epochs, milestones=[first, second]),
]
auto_scale_lr = dict(enable=True)  # the recipe's rate is for 16 images a step
default_hooks = dict(
    logger=dict(interval=10), checkpoint=dict(max_keep_ckpts=2, save_best="coco/bbox_mAP")
)
