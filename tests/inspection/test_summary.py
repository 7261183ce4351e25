"""What is said of data is true."""

import json
from collections import Counter

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from support.pages import ROOT
from support.small_data import coco_data, seg_data

from mmfastervit.datasets.shapes import write_dataset
from mmfastervit.inspection import look_at

SHARED = ROOT.parent / "shared/data"
DET = ROOT / "configs/det/cascade-mask-rcnn_fastervit-0_fpn_shapes.py"
SEG = ROOT / "configs/seg/upernet_fastervit-0_shapes-256x256.py"


def summary(data, stages=("train",)) -> str:
    [text] = look_at(data.config(), stages).summaries
    return text


def test_images_objects_and_boxes_of_a_coco_set_are_counted(tmp_path):
    data = coco_data(tmp_path)
    data.content["annotations"].pop()  # a cat
    data.content["annotations"].pop()  # a bird, and then nothing is on the third image
    text = summary(data)
    assert f"train_dataloader.dataset: COCO, {tmp_path}/data.json" in text
    assert "3 images of 32x32 to 40x30, 4 objects of 3 classes" in text
    assert "objects: cat 1, dog 2, bird 1" in text
    assert "images without objects: 1 (33.3 %)" in text
    # 40x30 becomes 80x60: boxes of 10x8 pixels are 20x16, of which the root is 17.9
    assert "resized to 80x60" in text
    assert "0.0 % under 8, 0.0 % under 16, 100.0 % under 32, median 18" in text
    assert "pictures opened: all 3" in text


def test_boxes_are_counted_as_labelled_where_the_pipeline_does_not_resize(tmp_path):
    data = coco_data(tmp_path)
    data.datasets[0]["pipeline"].pop()
    assert "0.0 % under 8, 100.0 % under 16, 100.0 % under 32, median 9" in summary(data)


@pytest.mark.parametrize(
    ("resize", "median"),
    [
        (dict(type="Resize", scale=(40, 30), keep_ratio=False), 9),
        (dict(type="RandomResize", scale=(80, 60), ratio_range=(0.5, 2), keep_ratio=True), 18),
        (dict(type="RandomChoiceResize", scales=[(40, 30), (80, 60), (120, 90)], keep_ratio=True),
         18),
        (dict(type="RandomChoice", transforms=[[dict(type="Resize", scale=(160, 120),
              keep_ratio=True)], []]), 36),
    ],
)  # fmt: skip
def test_the_scale_is_the_middle_of_the_pipelines(tmp_path, resize, median):
    data = coco_data(tmp_path)
    data.content["annotations"] = data.content["annotations"][:4]  # of pictures of 40x30
    data.datasets[0]["pipeline"][2] = resize
    assert f"median {median}" in summary(data)


def test_the_labels_of_maps_are_counted(tmp_path):
    text = summary(seg_data(tmp_path))
    assert "3 images, 3 label maps; opened: all 3" in text
    assert "background 33.4 %, cat 33.3 %, dog 33.3 %" in text


def test_data_that_are_read_in_another_way_are_left_alone_and_named(tmp_path):
    data = coco_data(tmp_path)
    data.datasets[0]["backend_args"] = dict(backend="petrel")
    report = look_at(data.config(), ("train",))
    assert report.findings == []
    assert report.summaries == [
        "train_dataloader.dataset: not looked at: its files are not on this machine"
    ]
    data.datasets[0].update(type="CocoPanopticDataset", backend_args=None)
    [text] = look_at(data.config(), ("train",)).summaries
    assert "CocoPanopticDataset reads in a way of its own" in text


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("shapes") / "s", train=6, val=2, size=64, seed=0)


def looked_at(config, root):
    cfg = Config.fromfile(config)
    for stage in ("train", "val", "test"):
        cfg[f"{stage}_dataloader"].dataset.data_root = str(root)
        if "ann_file" in (cfg.get(f"{stage}_evaluator") or {}):
            cfg[f"{stage}_evaluator"].ann_file = f"{root}/instances_val.json"
    return look_at(cfg)


def test_drawn_shapes_pass(shapes):
    report = looked_at(DET, shapes)
    assert report.faults == []
    manifest = json.loads((shapes / "dataset.json").read_text())
    for split, text in zip(("train", "val"), report.summaries, strict=True):
        assert f"{manifest['images'][split]} images of 64x64, " in text
        objects = ", ".join(f"{name} {n}" for name, n in manifest["objects"][split].items())
        assert f"objects: {objects}\n" in text
    report = looked_at(SEG, shapes)
    assert report.faults == []
    assert "background" in report.summaries[0]


def det_config(name: str, classes: tuple, images: str = "") -> Config:
    """A detection config of a data set in ../shared."""
    pipeline = [
        dict(type="LoadImageFromFile"),
        dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
        dict(type="Resize", scale=(320, 240), keep_ratio=True),
    ]
    common = dict(
        type="CocoDataset",
        data_root=str(SHARED / name),
        metainfo=dict(classes=classes),
        pipeline=pipeline,
    )
    loaders = {
        f"{split}_dataloader": dict(
            dataset=dict(common, ann_file=f"{split}.json", data_prefix=dict(img=f"{split}/"))
        )
        for split in ("train", "val")
    }
    metric = dict(
        type="CocoMetric", ann_file=str(SHARED / name / "val.json"), metric=["bbox", "segm"]
    )
    return Config(dict(default_scope="mmdet", val_evaluator=metric, **loaders))


def seg_config(name: str, classes: tuple, suffix: str) -> Config:
    """A segmentation config of a data set in ../shared."""
    loaders = {
        f"{split}_dataloader": dict(
            dataset=dict(
                type="BaseSegDataset",
                data_root=str(SHARED / name),
                img_suffix=suffix,
                data_prefix=dict(img_path=split, seg_map_path=f"{split}_semantic"),
                metainfo=dict(classes=classes),
                pipeline=[dict(type="LoadImageFromFile"), dict(type="LoadAnnotations")],
            )
        )
        for split in ("train", "val")
    }
    return Config(dict(default_scope="mmseg", **loaders))


def counted(name: str, split: str) -> list[str]:
    """What is true of a data set, counted from its file by other means."""
    content = json.loads((SHARED / name / f"{split}.json").read_text())
    counts = Counter(annotation["category_id"] for annotation in content["annotations"])
    objects = [f"{one['name']} {counts[one['id']]}" for one in content["categories"]]
    empty = len(content["images"]) - len({one["image_id"] for one in content["annotations"]})
    return [
        f"{len(content['images'])} images of ",
        f", {len(content['annotations'])} objects of ",
        f"objects: {', '.join(objects)}\n",
        f"images without objects: {empty or 'none'}",
    ]


@pytest.mark.parametrize(
    ("name", "classes", "suffix"),
    [("bccd", ("RBC", "WBC", "Platelets"), ".jpg"), ("nuclei", ("nucleus",), ".png")],
)
def test_real_data_pass_and_what_is_said_of_them_is_true(name, classes, suffix):
    if not (SHARED / name).is_dir():
        pytest.skip(f"../shared/data/{name} is not there")
    report = look_at(det_config(name, classes))
    assert report.findings == []
    for split, text in zip(("train", "val"), report.summaries, strict=True):
        for part in counted(name, split):
            assert part in text
    report = look_at(seg_config(name, ("background", *classes), suffix))
    assert report.findings == []
    maps = [Image.open(path) for path in sorted((SHARED / name / "val_semantic").iterdir())]
    pixels = sum(np.bincount(np.asarray(one).ravel(), minlength=256) for one in maps)
    assert f"{len(maps)} images, {len(maps)} label maps; opened: all" in report.summaries[1]
    for number, label in enumerate(("background", *classes)):
        assert f"{label} {100 * pixels[number] / pixels.sum():.1f} %" in report.summaries[1]
