"""Files of little models, and data on which the models are right about half of the time.

Weights are random: what is true is made of what torch predicts, with objects left out and moved,
and parts of label maps changed. So a metric is neither 0 nor 1, and changes with every prediction.
"""

import copy
import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from mmengine.config import Config
from PIL import Image

import mmfastervit
from mmfastervit.datasets.shapes import render_scene
from mmfastervit.export import build_whole, export_whole

from .opened import CLASSES, checkpoint_of, config_of

KINDS = ("mask", "seg")
SIDE = 64  # of what the files take
SIZES = (
    (80, 96),
    (96, 80),
    (64, 64),
    (50, 70),
)  # of the pictures; the last two are not made smaller
# Those of whole numbers are the same in a picture's uint8 and normalised.
_MEAN, _STD = [124.0, 116.0, 104.0], [58.0, 57.0, 57.0]


def tested_config(kind: str) -> Config:
    """The config of a little model that pictures are scaled for, and of :func:`data_of`."""
    cfg = config_of(kind)
    cfg.model.data_preprocessor.update(mean=_MEAN, std=_STD)
    resize = dict(type="Resize", scale=(SIDE, SIDE), keep_ratio=False)
    for part in ("val", "test"):
        dataset = cfg[f"{part}_dataloader"].dataset
        steps = [step for step in dataset.pipeline if step["type"] != "Resize"]
        dataset.pipeline = [steps[0], resize, *steps[1:]]
    return cfg


@cache
def file_of(kind: str) -> Path:
    """A file of the model: a detector's takes uint8, a segmentor's normalised and gives logits."""
    cfg, is_det = tested_config(kind), kind == "mask"
    whole = build_whole(cfg, checkpoint_of(kind), is_det, gives_logits=not is_det)
    path = Path(mkdtemp(), f"{kind}.onnx")
    export_whole(whole, path, (SIDE, SIDE), drawn(), any_size=False)
    return path


def drawn() -> list[np.ndarray]:
    """Pictures of several sizes, red first."""
    random = np.random.default_rng(0)
    scenes = [render_scene(random, 96).image for _ in SIZES]
    return [scene[:height, :width] for scene, (height, width) in zip(scenes, SIZES, strict=True)]


@cache
def data_of(kind: str) -> Path:
    """A folder with pictures and what is true of them."""
    folder = Path(mkdtemp())
    (folder / "images").mkdir()
    (folder / "maps").mkdir()
    model = mmfastervit.load(tested_config(kind), checkpoint_of(kind), score_thr=0.0)
    content: dict[str, list] = dict(images=[], annotations=[], categories=[])
    for number, picture in enumerate(drawn(), 1):
        path = folder / f"images/{number}.png"
        Image.fromarray(picture).save(path)
        found: Any = model.predict(str(path))
        if kind == "seg":
            labels = found.labels.copy()
            labels[: len(labels) // 3] = number % 4
            Image.fromarray(labels).save(folder / f"maps/{number}.png")
            continue
        height, width = picture.shape[:2]
        content["images"].append(dict(id=number, file_name=path.name, height=height, width=width))
        for place, one in enumerate(found.to_coco(number)):
            if place % 3 == 0:  # of the surest
                continue
            one["id"] = len(content["annotations"]) + 1
            one["bbox"][2] *= 1 - 0.1 * place
            content["annotations"].append(one)
    content["categories"] = [dict(id=i, name=name) for i, name in enumerate(CLASSES[kind], 1)]
    (folder / "true.json").write_text(json.dumps(content))
    return folder


def on_data(kind: str, batch_size: int = 2) -> dict[str, Any]:
    """:func:`tested_config` with the data in its place, as the content of a file."""
    content, folder = copy.deepcopy(tested_config(kind).to_dict()), str(data_of(kind))
    loader = content["test_dataloader"]
    loader["batch_size"] = batch_size
    dataset = loader["dataset"]
    dataset["data_root"] = folder
    if kind == "mask":
        dataset.update(ann_file="true.json", data_prefix=dict(img="images/"))
        metric = dict(type="CocoMetric", metric=["bbox", "segm"], ann_file=f"{folder}/true.json")
        content["test_evaluator"] = metric
    else:
        dataset.update(data_prefix=dict(img_path="images", seg_map_path="maps"), img_suffix=".png")
    content["val_dataloader"] = content["val_evaluator"] = content["val_cfg"] = None
    return content
