"""Data sets of a few made images, in the folders and names of the real ones."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

IMAGES = 4
SIZE = (96, 128)  # height, width
_BOXES = ((8, 10, 40, 50), (50, 20, 60, 60), (20, 60, 70, 30))  # x, y, width, height


def make(root: Path, data_root: str) -> None:
    """Make the data set that recipes look for at ``data_root``, below ``root``.

    Raises:
        KeyError: No recipe of ours reads such a place.
    """
    folder = root / data_root
    MAKERS[data_root.strip("/")](folder)


def _image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def _labels(path: Path, values: Sequence[int]) -> None:
    """A label map of three rectangles on a ground, of four values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.full(SIZE, values[0], dtype=np.uint8)
    for value, (x, y, width, height) in zip(values[1:], _BOXES, strict=False):
        labels[y : y + height, x : x + width] = value
    Image.fromarray(labels).save(path)


def _coco(folder: Path) -> None:
    from mmdet.datasets import CocoDataset, CocoPanopticDataset

    things = CocoDataset.METAINFO["classes"]
    everything = CocoPanopticDataset.METAINFO["classes"]
    for split in ("train", "val"):
        images, instances, segments = [], [], []
        for i in range(IMAGES):
            name = f"{i:012}.jpg"
            _image(folder / f"{split}2017" / name, i)
            images.append(dict(id=i, file_name=name, height=SIZE[0], width=SIZE[1]))
            instances += [_instance(i, number) for number in range(len(_BOXES))]
            segments.append(_panoptic(folder / f"annotations/panoptic_{split}2017", i))
        _write(folder, f"instances_{split}2017", images, instances, _categories(things))
        _write(folder, f"panoptic_{split}2017", images, segments, _categories(everything, 80))


def _instance(image: int, number: int) -> dict:
    x, y, width, height = _BOXES[number]
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    return dict(
        id=image * 10 + number + 1,
        image_id=image,
        category_id=number + 1,
        bbox=list(_BOXES[number]),
        area=width * height,
        iscrowd=0,
        segmentation=[corners],
    )


def _panoptic(folder: Path, image: int) -> dict:
    """Three things and the ground, a stuff class; a segment's number is the red of its pixels."""
    name = f"{image:012}.png"
    ids = np.full((*SIZE, 3), (4, 0, 0), dtype=np.uint8)
    for number, (x, y, width, height) in enumerate(_BOXES):
        ids[y : y + height, x : x + width] = (number + 1, 0, 0)
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ids).save(folder / name)
    found = []
    for segment, category in ((1, 1), (2, 2), (3, 3), (4, 81)):
        rows, columns = np.nonzero(ids[..., 0] == segment)
        left, top = int(columns.min()), int(rows.min())
        box = [left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1]
        found.append(dict(id=segment, category_id=category, bbox=box, area=len(rows), iscrowd=0))
    return dict(image_id=image, file_name=name, segments_info=found)


def _categories(names: Sequence[str], things: int | None = None) -> list[dict]:
    found = [dict(id=i + 1, name=name) for i, name in enumerate(names)]
    return found if things is None else [c | dict(isthing=int(c["id"] <= things)) for c in found]


def _write(folder: Path, name: str, images: list, annotations: list, categories: list) -> None:
    path = folder / f"annotations/{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = dict(images=images, annotations=annotations, categories=categories)
    path.write_text(json.dumps(content))


def _ade20k(folder: Path) -> None:
    for split in ("training", "validation"):
        for i in range(IMAGES):
            _image(folder / f"images/{split}/{i}.jpg", i)
            _labels(folder / f"annotations/{split}/{i}.png", (1, 0, 2, 150))


def _cityscapes(folder: Path) -> None:
    for split in ("train", "val"):
        for i in range(IMAGES):
            _image(folder / f"leftImg8bit/{split}/town/{i}_leftImg8bit.png", i)
            _labels(folder / f"gtFine/{split}/town/{i}_gtFine_labelTrainIds.png", (0, 255, 2, 18))


def _voc(folder: Path) -> None:
    for split, labels in (("train", ""), ("aug", "Aug"), ("val", "")):
        names = [f"{split}{i}" for i in range(IMAGES)]
        for i, name in enumerate(names):
            _image(folder / f"JPEGImages/{name}.jpg", i)
            _labels(folder / f"SegmentationClass{labels}/{name}.png", (0, 255, 2, 20))
        listed = folder / f"ImageSets/Segmentation/{split}.txt"
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_text("\n".join(names))


def _stuff(folder: Path) -> None:
    for split in ("train2017", "val2017"):
        for i in range(IMAGES):
            _image(folder / f"images/{split}/{i}.jpg", i)
            _labels(folder / f"annotations/{split}/{i}_labelTrainIds.png", (0, 255, 2, 170))


MAKERS = {
    "data/coco": _coco,
    "data/ade/ADEChallengeData2016": _ade20k,
    "data/cityscapes": _cityscapes,
    "data/VOCdevkit/VOC2012": _voc,
    "data/coco_stuff164k": _stuff,
}
