_base_ = "../../../configs/det/cascade-mask-rcnn_fastervit-0_fpn_shapes.py"

data_root = "data/bccd/"
metainfo = dict(classes=("RBC", "WBC", "Platelets"))
num_classes = 3
image_scale = (320, 240)  # the photos are 640x480

bbox_head = _base_.model.roi_head.bbox_head
for stage in range(3):
    bbox_head[stage].num_classes = num_classes
del stage
model = dict(roi_head=dict(bbox_head=bbox_head, mask_head=dict(num_classes=num_classes)))

train_pipeline = _base_.train_pipeline
train_pipeline[2].scale = image_scale
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = image_scale

train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file="train.json",
        data_prefix=dict(img="train/"),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file="val.json",
        data_prefix=dict(img="val/"),
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + "val.json")
test_evaluator = val_evaluator

max_epochs = 10  # of 36 iterations
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=120, end=360, T_max=240),
]
default_hooks = dict(checkpoint=dict(interval=max_epochs))
