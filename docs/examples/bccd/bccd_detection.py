# 96 photos of blood cells in COCO's format, small enough for a CPU: settings that the detectors of
# this folder take from here. They are looked for in `data/bccd` below the folder where training
# starts; README.md says how they lie there.
bccd_root = "data/bccd/"
bccd_metainfo = dict(classes=("RBC", "WBC", "Platelets"))
bccd_scale = (320, 240)  # the photos are 640x480

bccd_train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="Resize", scale=bccd_scale, keep_ratio=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackDetInputs"),
]
bccd_test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=bccd_scale, keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(
        type="PackDetInputs",
        meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor"),
    ),
]
bccd_train_dataloader = dict(
    batch_size=2,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="CocoDataset",
        data_root=bccd_root,
        metainfo=bccd_metainfo,
        ann_file="train.json",
        data_prefix=dict(img="train/"),
        pipeline=bccd_train_pipeline,
    ),
)
bccd_val_dataloader = dict(
    batch_size=2,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="CocoDataset",
        data_root=bccd_root,
        metainfo=bccd_metainfo,
        ann_file="val.json",
        data_prefix=dict(img="val/"),
        test_mode=True,
        pipeline=bccd_test_pipeline,
    ),
)
bccd_evaluator = dict(type="CocoMetric", ann_file=bccd_root + "val.json", metric="bbox")
bccd_epochs = 6  # of 36 iterations
bccd_schedule = [
    dict(type="LinearLR", start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=72, end=216, T_max=144),
]
# From scratch: these photos and minutes, no published weights.
bccd_backbone = dict(drop_path_rate=0.0, init_cfg=None)
bccd_optim_wrapper = dict(
    _delete_=True,
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0),
    clip_grad=dict(max_norm=10),
)
