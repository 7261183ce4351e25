"""A look at data of COCO's size, timed: 118 287 images, 860 001 annotations with polygons.

    PYTHONPATH=. python tests/large_look.py [FOLDER]

The annotation file, of about 450 MB as COCO's is, is made in FOLDER (by default a temporary one)
and kept there. The names lead to a few pictures.
"""

import json
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from mmengine.config import Config
from PIL import Image

from mmfastervit.inspection import look_at

IMAGES, OBJECTS, POINTS, CLASSES = 118_287, 860_001, 22, 80
SIZE = (640, 480)
LINKS = 20_000  # to a file; some file systems allow no more than 65 000


def make(folder: Path) -> None:
    """Write the file and the pictures."""
    draw = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    pixels = draw.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    images = [
        dict(license=1, file_name=f"{i:012d}.jpg", coco_url=f"http://host/{i:012d}.jpg",
             height=SIZE[1], width=SIZE[0], date_captured="2013-11-14 11:18:45", id=i)
        for i in range(IMAGES)
    ]  # fmt: skip
    for number, image in enumerate(images):
        path = folder / "images" / image["file_name"]
        if number % LINKS:
            path.hardlink_to(folder / "images" / images[number - number % LINKS]["file_name"])
        else:
            Image.fromarray(pixels).save(path)
    categories = [dict(id=i, name=f"class {i}", supercategory="thing") for i in range(CLASSES)]
    names = json.dumps(dict(info={}, images=images, categories=categories))
    with (folder / "data.json").open("w") as file:
        file.write(f'{names[:-1]}, "annotations": [')
        for number in range(OBJECTS):
            file.write(", " * bool(number) + json.dumps(annotation(number, draw)))
        file.write("]}")


def annotation(number: int, draw: np.random.Generator) -> dict:
    """An object somewhere, with a polygon around it."""
    x, y, w, h = draw.uniform((0, 0, 4, 4), (400, 300, 200, 150)).round(2).tolist()
    turns = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    points = np.stack([x + w / 2 + w / 2 * np.cos(turns), y + h / 2 + h / 2 * np.sin(turns)], 1)
    return dict(
        segmentation=[points.round(2).ravel().tolist()], area=round(w * h * 0.78, 4), iscrowd=0,
        image_id=int(draw.integers(IMAGES)), bbox=[x, y, w, h],
        category_id=int(draw.integers(CLASSES)), id=number + 1,
    )  # fmt: skip


def config(folder: Path) -> Config:
    """What trains masks on it."""
    return Config(
        dict(
            default_scope="mmdet",
            train_dataloader=dict(
                dataset=dict(
                    type="CocoDataset",
                    data_root=str(folder),
                    ann_file="data.json",
                    data_prefix=dict(img="images/"),
                    metainfo=dict(classes=tuple(f"class {i}" for i in range(CLASSES))),
                    pipeline=[
                        dict(type="LoadImageFromFile"),
                        dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
                        dict(type="Resize", scale=(1333, 800), keep_ratio=True),
                    ],
                )
            ),
        )
    )


def main(folder: Path) -> None:
    """Make the data where they are not there, look at them, and print how long that took."""
    if not (folder / "data.json").is_file():
        make(folder)
    look_at(Config(dict(default_scope="mmdet", train_dataloader=None)), ("train",))
    start, busy = time.perf_counter(), time.process_time()
    report = look_at(config(folder), ("train",))
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(report.told())
    size = (folder / "data.json").stat().st_size / 1e6
    print(f"{len(report.faults)} faults in {size:.0f} MB")
    print(f"{seconds:.1f} s, {busy:.1f} s of a processor, {memory:.1f} GiB at most")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as temporary:
            main(Path(temporary))
