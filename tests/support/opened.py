"""Checkpoints of tiny models, as mmengine writes them, and what opens and predicts with them."""

import copy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image

from mmfastervit.inference.opening import OpenedModel, open_model

from .little_runs import ARCH, NAMES, little_run

CLASSES = {"det": NAMES, "mask": NAMES, "seg": ("background", *NAMES)}
KINDS = tuple(CLASSES)


def config_of(kind: str) -> Config:
    """The config of a tiny detector, detector with masks, or segmentor."""
    content = little_run("seg" if kind == "seg" else "det", Path("nowhere"))
    if kind == "mask":
        content["model"] = _mask_rcnn()
    if kind == "det":
        content["model"]["test_cfg"]["score_thr"] = 0.0  # weights are random
    return Config(copy.deepcopy(content))


def _mask_rcnn() -> dict[str, Any]:
    zoo = Config.fromfile(_zoo("mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"))
    model = zoo.model.to_dict()
    model["backbone"] = dict(type="mmfastervit.FasterViT", arch=ARCH)
    model["neck"].update(in_channels=[8, 16, 32, 64], out_channels=16)
    model["rpn_head"].update(in_channels=16, feat_channels=16)
    heads = model["roi_head"]
    heads["bbox_roi_extractor"]["out_channels"] = heads["mask_roi_extractor"]["out_channels"] = 16
    heads["bbox_head"].update(in_channels=16, fc_out_channels=16, num_classes=3)
    heads["mask_head"].update(num_convs=1, in_channels=16, conv_out_channels=16, num_classes=3)
    model["test_cfg"]["rcnn"].update(score_thr=0.0, max_per_img=5)
    model["test_cfg"]["rpn"].update(nms_pre=50, max_per_img=20)
    return model


def _zoo(name: str) -> Path:
    from mmfastervit.config.finding import find_config

    return find_config(f"mmdet::{name}")


@cache
def checkpoint_of(kind: str) -> str:
    """A checkpoint with random weights, made once, as mmengine's Runner writes one."""
    cfg = config_of(kind)
    torch.manual_seed(0)
    model = open_model(cfg, None).model
    spread(model)
    path = Path(mkdtemp(), f"{kind}.pth")
    save(path, model.state_dict(), cfg, kind)
    return str(path)


def spread(model: torch.nn.Module) -> None:
    """Make a model's outputs differ from place to place, as those of fresh weights hardly do."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "head" in name and value.ndim > 1:
                value.mul_(6 if "cls" in name else 3)


def save(path: Path, weights: Mapping, cfg: Config, kind: str, **more: Any) -> None:
    """Write a checkpoint with the entries that mmengine's have."""
    meta = dict(
        cfg=cfg.pretty_text,
        dataset_meta=dict(classes=CLASSES[kind]),
        epoch=1,
        iter=7,
        seed=0,
        experiment_name="tiny",
    )
    torch.save(dict(meta=meta, state_dict=weights, **more), path)


def opened(kind: str, **options: Any) -> OpenedModel:
    """Open one of them."""
    return open_model(config_of(kind), checkpoint_of(kind), **options)


def picture(size: tuple[int, int] = (80, 64), seed: int = 0) -> np.ndarray:
    """Patches of colours, uint8 (H, W, 3)."""
    width, height = size
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
