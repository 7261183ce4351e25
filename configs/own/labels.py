# Label maps of your own: UperNet with FasterViT-0. Fill in these five; all else follows from them.
# A map has one channel; its value 255 is ignored.
data_root = "data/mine/"
classes = ("background", "cat", "dog")  # of the labels from 0 on
files = dict(train=("train", "train_labels"), val=("val", "val_labels"))  # pictures, maps
image_scale = (2048, 512)  # pictures are resized to fit into this long and short side
epochs = 100

_base_ = "../seg/upernet_fastervit-0_8xb2-160k_ade20k-512x512.py"

num_classes = len(classes)
crop_size = (min(512, -(-min(image_scale) // 32) * 32),) * 2  # no larger than pictures are
picture_suffix, label_suffix = ".jpg", ".png"
lists = dict(train="", val="")  # files with a name a line, no suffix; "": all there are
palette = [[37 * i % 256, 97 * i % 256, 173 * i % 256] for i in range(num_classes)]
metainfo = dict(classes=classes, palette=palette)
model = dict(
    data_preprocessor=dict(size=crop_size),
    decode_head=dict(num_classes=num_classes),
    auxiliary_head=dict(num_classes=num_classes),
)
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomResize", scale=image_scale, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
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
tta_pipeline = [  # multi-scale and flip: loads, and ends, as the tests do, around their size
    test_pipeline[0],
    dict(
        type="TestTimeAug",
        transforms=[
            [
                dict(
                    type="Resize",
                    scale=tuple(round(side * ratio) for side in image_scale),
                    keep_ratio=True,
                )
                for ratio in (0.75, 1.0, 1.25)
            ],
            [dict(type="RandomFlip", prob=prob, direction="horizontal") for prob in (0.0, 1.0)],
            *([step] for step in test_pipeline[2:]),
        ],
    ),
]
common = dict(
    _delete_=True,
    type="BaseSegDataset",
    data_root=data_root,
    metainfo=metainfo,
    img_suffix=picture_suffix,
    seg_map_suffix=label_suffix,
    reduce_zero_label=False,
)
train_dataloader = dict(
    batch_size=2,
    sampler=dict(_delete_=True, type="DefaultSampler", shuffle=True),
    drop_last=True,  # batch normalisation takes no batch of one
    dataset=dict(
        **common,
        ann_file=lists["train"],
        data_prefix=dict(img_path=files["train"][0], seg_map_path=files["train"][1]),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    dataset=dict(
        **common,
        ann_file=lists["val"],
        data_prefix=dict(img_path=files["val"][0], seg_map_path=files["val"][1]),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

train_cfg = dict(_delete_=True, type="EpochBasedTrainLoop", max_epochs=epochs, val_interval=5)
warm_up = epochs / 20
param_scheduler = [
    dict(
        type="mmfastervit.WarmUpLR",
        start_factor=1e-6,
        begin=0,
        end=warm_up,
        convert_to_iter_based=True,
    ),
    dict(
        type="PolyLR",
        eta_min=0.0,
        power=1.0,
        begin=warm_up,
        end=epochs,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(enable=True)  # the recipe's rate is for 16 images a step
default_hooks = dict(
    logger=dict(interval=10, log_metric_by_epoch=True),
    checkpoint=dict(by_epoch=True, interval=5, max_keep_ckpts=2, save_best="mIoU"),
)
log_processor = dict(by_epoch=True)
