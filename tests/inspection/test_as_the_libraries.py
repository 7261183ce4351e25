"""The look and the libraries agree on what is read, so that what is said of data is true."""

import numpy as np
import pytest
from mmengine.registry import DATASETS, TRANSFORMS, init_default_scope
from PIL import Image
from support.small_data import coco_data, seg_data

from mmfastervit.inspection.coco_objects import objects_of
from mmfastervit.inspection.coco_summary import learned_by_class
from mmfastervit.inspection.label_maps import meaning_of
from mmfastervit.inspection.pairs import find_pairs
from mmfastervit.inspection.sources import sources


def first_source(data):
    return sources(data.config(), ("train",))[0]


def built(data):
    """The library's data set."""
    init_default_scope(data.cfg["default_scope"])
    return DATASETS.build(data.cfg["train_dataloader"]["dataset"] | dict(lazy_init=True))


def test_the_objects_that_mmdet_keeps_are_counted(tmp_path):
    data, draw = coco_data(tmp_path), np.random.default_rng(0)
    one = data.content["annotations"][0]
    data.content["annotations"] = [
        dict(
            one,
            id=number,
            image_id=int(draw.integers(1, 4)),
            category_id=int(draw.choice([10, 20, 30, 40])),
            bbox=draw.uniform((-30, -30, -2, -2), (45, 45, 20, 20)).tolist(),
            area=float(draw.uniform(-1, 9)),
            ignore=int(draw.uniform() < 0.1),
            iscrowd=int(draw.uniform() < 0.1),
        )
        for number in range(400)
    ]
    source = first_source(data)
    kept = learned_by_class(source, data.content, objects_of(data.content))
    theirs = built(data)
    theirs.full_init()
    infos = [theirs.get_data_info(number) for number in range(len(theirs))]
    labels = [
        one["bbox_label"] for info in infos for one in info["instances"] if not one["ignore_flag"]
    ]
    assert [kept[name] for name in theirs.metainfo["classes"]] == np.bincount(labels).tolist()
    assert 0 < sum(kept.values()) < 300


@pytest.mark.parametrize(
    "settings",
    [
        dict(),
        dict(reduce_zero_label=True),
        dict(type="ADE20KDataset", metainfo=dict(classes=("sky", "wall"))),
        dict(type="ADE20KDataset", metainfo=dict(classes=("sky",)), reduce_zero_label=False),
    ],
    ids=str,
)
def test_values_of_maps_mean_what_mmseg_makes_of_them(tmp_path, settings):
    data = seg_data(tmp_path)
    data.datasets[0].update(settings)
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(tmp_path / "maps/a.png")
    theirs = built(data)
    info = theirs.get_data_info(0)
    loaded = TRANSFORMS.build(dict(type="LoadAnnotations"))(info)["gt_seg_map"]
    assert meaning_of(first_source(data), 255).table.tolist() == loaded.ravel().tolist()


@pytest.mark.parametrize("listed", [False, True])
def test_images_and_maps_are_paired_as_mmseg_pairs_them(tmp_path, listed):
    data = seg_data(tmp_path)
    (tmp_path / "images/below").mkdir()
    (tmp_path / "images/a.jpg").rename(tmp_path / "images/below/a.jpg")
    (tmp_path / "images/.hidden.jpg").touch()
    if listed:
        (tmp_path / "names.txt").write_text("below/a\nc\n")
        data.datasets[0]["ann_file"] = "names.txt"
    pairs, _ = find_pairs(first_source(data))
    theirs = built(data)
    infos = [theirs.get_data_info(n) for n in range(len(theirs))]
    assert [str(path) for path in pairs.images] == [info["img_path"] for info in infos]
    assert [str(path) for path in pairs.maps] == [info["seg_map_path"] for info in infos]
