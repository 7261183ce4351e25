"""Two tiny data sets without a fault, COCO and folders, and the configs that read them."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from mmengine.config import Config
from PIL import Image

DET_CLASSES = ("cat", "dog", "bird")
SEG_CLASSES = ("background", "cat", "dog")
SIZES = {"a": (40, 30), "b": (40, 30), "c": (32, 32)}  # width, height of each picture


@dataclass
class SmallData:
    """A data set in a folder, for a test to damage before it is looked at.

    Attributes:
        root: Its folder.
        cfg: The config, as plain dicts: ``train_dataloader``, ``test_dataloader``, ...
        content: Of a COCO file; written by :meth:`config`.
        raw: The bytes of the COCO file, where they are not ``content``.
    """

    root: Path
    cfg: dict[str, Any]
    content: dict[str, Any] = field(default_factory=dict)
    raw: bytes | None = None

    @property
    def datasets(self) -> list[dict]:
        """The configs of both data sets, for training and testing."""
        return [self.cfg[f"{stage}_dataloader"]["dataset"] for stage in ("train", "test")]

    def config(self) -> Config:
        """Write what was changed and give the config."""
        if self.content:
            raw = json.dumps(self.content).encode() if self.raw is None else self.raw
            (self.root / "data.json").write_bytes(raw)
        return Config(self.cfg)

    def open(self, name: str) -> Image.Image:
        """A picture, loaded."""
        return Image.open(self.root / name).copy()


def coco_data(root: Path) -> SmallData:
    """Three pictures, two objects on each, with masks."""
    shutil.copytree(_template("images", "RGB", ".jpg"), root / "images", dirs_exist_ok=True)
    images = [
        dict(id=number, file_name=f"{name}.jpg", width=width, height=height)
        for number, (name, (width, height)) in enumerate(SIZES.items(), start=1)
    ]
    categories = [dict(id=10 * i, name=name) for i, name in enumerate(DET_CLASSES, start=1)]
    annotations = [
        _object(number, image_id, category_id)
        for number, (image_id, category_id) in enumerate(
            [(1, 10), (1, 20), (2, 20), (2, 30), (3, 30), (3, 10)], start=1
        )
    ]
    content = dict(images=images, annotations=annotations, categories=categories)
    return SmallData(root, _det_config(root), content)


def _object(number: int, image_id: int, category_id: int) -> dict:
    x, y, w, h = 3 + number, 4, 10, 8
    return dict(
        id=number,
        image_id=image_id,
        category_id=category_id,
        bbox=[x, y, w, h],
        area=w * h,
        iscrowd=0,
        segmentation=[[x, y, x + w, y, x + w, y + h, x, y + h]],
    )


def seg_data(root: Path) -> SmallData:
    """Three pictures with their label maps."""
    shutil.copytree(_template("images", "RGB", ".jpg"), root / "images", dirs_exist_ok=True)
    shutil.copytree(_template("maps", "L", ".png"), root / "maps", dirs_exist_ok=True)
    return SmallData(root, _seg_config(root))


@cache
def _template(kind: str, mode: str, suffix: str) -> Path:
    """A folder of pictures, made once."""
    folder = Path(mkdtemp(), kind)
    folder.mkdir()
    for number, (name, (width, height)) in enumerate(SIZES.items()):
        values = np.random.default_rng(number).integers(0, 200, (height, width, 3), dtype=np.uint8)
        if mode == "L":
            values = (np.arange(height * width) % 3).astype(np.uint8).reshape(height, width)
        Image.fromarray(values).save(folder / f"{name}{suffix}")
    return folder


def _det_config(root: Path) -> dict[str, Any]:
    load = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations", with_bbox=True,
            with_mask=True), dict(type="Resize", scale=(80, 60), keep_ratio=True)]  # fmt: skip
    dataset = dict(
        type="CocoDataset",
        data_root=str(root),
        ann_file="data.json",
        data_prefix=dict(img="images/"),
        metainfo=dict(classes=DET_CLASSES),
        pipeline=load,
    )
    heads = dict(
        bbox_head=[dict(type="Shared2FCBBoxHead", num_classes=3)],
        mask_head=dict(type="FCNMaskHead", num_classes=3),
    )
    return dict(
        default_scope="mmdet",
        launcher="none",
        model=dict(
            type="CascadeRCNN", rpn_head=dict(type="RPNHead", num_classes=1), roi_head=heads
        ),
        train_dataloader=dict(dataset=dataset),
        test_dataloader=dict(dataset=dict(dataset, test_mode=True)),
        test_evaluator=dict(
            type="CocoMetric", ann_file=str(root / "data.json"), metric=["bbox", "segm"]
        ),
    )


def _seg_config(root: Path) -> dict[str, Any]:
    dataset = dict(
        type="BaseSegDataset",
        data_root=str(root),
        data_prefix=dict(img_path="images", seg_map_path="maps"),
        metainfo=dict(classes=SEG_CLASSES),
        pipeline=[dict(type="LoadImageFromFile"), dict(type="LoadAnnotations")],
    )
    heads = dict(
        decode_head=dict(type="UPerHead", num_classes=3),
        auxiliary_head=dict(type="FCNHead", num_classes=3),
    )
    return dict(
        default_scope="mmseg",
        launcher="none",
        model=dict(type="EncoderDecoder", **heads),
        train_dataloader=dict(dataset=dataset),
        test_dataloader=dict(dataset=dict(dataset, test_mode=True)),
        test_evaluator=dict(type="IoUMetric"),
    )


MAKERS: dict[str, Callable[[Path], SmallData]] = {"detection": coco_data, "segmentation": seg_data}
