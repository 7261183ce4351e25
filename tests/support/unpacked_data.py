"""Published data sets of a few made files, as people unpack them: nothing is converted yet."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (8, 12)  # height, width
SPLITS = ("train2017", "val2017")


def picture(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(values).save(path)


def labels(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path)


def all_values(seed: int = 0) -> np.ndarray:
    """A map of any values there are."""
    return np.random.default_rng(seed).integers(0, 256, SIZE)


def write_json(path: Path, **content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def coco(root: Path, panoptic: bool = False) -> None:
    for split in SPLITS:
        names = [f"{i:012}" for i in range(3)]
        images = [dict(id=i, file_name=f"{name}.jpg") for i, name in enumerate(names)]
        for i, name in enumerate(names):
            picture(root / split / f"{name}.jpg", i)
        write_json(root / f"annotations/instances_{split}.json", images=images, annotations=[])
        if panoptic:
            segments = [dict(image_id=i, file_name=f"{n}.png") for i, n in enumerate(names)]
            write_json(
                root / f"annotations/panoptic_{split}.json", images=images, annotations=segments
            )
            for name in names:
                labels(root / f"annotations/panoptic_{split}/{name}.png", all_values())


def stuff(root: Path, folder: str = "stuffthingmaps") -> None:
    """COCO-Stuff's maps of the pictures of :func:`coco`."""
    for split in SPLITS:
        for i in range(3):
            labels(root / f"{folder}/{split}/{i:012}.png", all_values(i))


def ade20k(root: Path) -> None:
    for split in ("training", "validation"):
        for i in range(3):
            picture(root / f"images/{split}/ADE_{i:08}.jpg", i)
            labels(root / f"annotations/{split}/ADE_{i:08}.png", all_values(i) % 151)


def cityscapes(root: Path, images: str = "leftImg8bit", fine: str = "gtFine") -> None:
    for split, towns in (("train", ("aachen", "ulm")), ("val", ("lindau",)), ("test", ("bonn",))):
        for town in towns:
            for i in range(2):
                name = f"{split}/{town}/{town}_{i:06}_000019"
                picture(root / f"{images}/{name}_leftImg8bit.png", i)
                labels(root / f"{fine}/{name}_gtFine_labelIds.png", all_values(i) % 34)
                labels(root / f"{fine}/{name}_gtFine_instanceIds.png", all_values(i))


VOC_TRAIN, VOC_VAL = ("a1", "a2"), ("b1", "b2")
SBD_TRAIN, SBD_VAL = ("a2", "c1", "c2", "b1"), ("c3", "b2")


def voc(root: Path) -> None:
    for number, name in enumerate((*VOC_TRAIN, *VOC_VAL, "c1", "c2", "c3")):
        picture(root / f"JPEGImages/{name}.jpg", number)
    for split, names in (("train", VOC_TRAIN), ("val", VOC_VAL)):
        for name in names:
            labels(root / f"SegmentationClass/{name}.png", all_values() % 21)
        write_list(root / f"ImageSets/Segmentation/{split}.txt", names)


def sbd(root: Path) -> None:
    """The Semantic Boundaries Dataset, as its archive has it."""
    from scipy.io import savemat

    (root / "dataset/cls").mkdir(parents=True)
    for split, names in (("train", SBD_TRAIN), ("val", SBD_VAL)):
        write_list(root / f"dataset/{split}.txt", names)
        for name in names:
            savemat(root / f"dataset/cls/{name}.mat", dict(GTcls=dict(Segmentation=sbd_map(name))))


def sbd_map(name: str) -> np.ndarray:
    return (all_values(sum(map(ord, name))) % 21).astype(np.uint8)


def write_list(path: Path, names) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names))
