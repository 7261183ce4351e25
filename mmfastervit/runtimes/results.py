"""From what a file gives of a picture to a data sample, as the model's own ``predict`` fills it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from .pasting import paste_masks
from .stated import Stated

_SURE = 1e-6  # how near to 0 and 1 a probability can be told from them
Size = tuple[int, int]  # height and width


def fill_sample(sample: Any, outputs: Mapping[str, np.ndarray], size: Size, stated: Stated) -> None:
    """Put a picture's results, brought to its original size, into its data sample.

    Args:
        sample: Of mmdet or mmseg; ``ori_shape`` and, where the pipeline resizes, ``scale_factor``
            are asked of it.
        outputs: What the file gave of this picture.
        size: Of the picture that was given in, without what it was padded with.
        stated: What the file says of itself.
    """
    original: Size = tuple(sample.metainfo.get("ori_shape", size)[:2])
    if "boxes" in outputs:
        sample.pred_instances = _instances(sample.metainfo, outputs, size, original, stated)
    if "segments" in outputs:
        segments = resized(outputs["segments"][: size[0], : size[1]], original)
        sample.pred_panoptic_seg = PixelData(sem_seg=torch.from_numpy(segments)[None])
    if "classes" in outputs:
        classes = resized(outputs["classes"][: size[0], : size[1]], original)
        sample.pred_sem_seg = PixelData(data=torch.from_numpy(classes.astype(np.int64))[None])
    if "logits" in outputs:
        logits = torch.from_numpy(outputs["logits"])[:, : size[0], : size[1]]
        _fill_maps(sample, logits, original, stated)


def resized(maps: np.ndarray, size: Size) -> np.ndarray:
    """Maps (..., H, W) at another size, each pixel that which lies nearest to its centre."""
    rows, columns = (
        ((np.arange(wanted) + 0.5) * have / wanted).astype(int)
        for wanted, have in zip(size, maps.shape[-2:], strict=True)
    )
    return maps[..., rows[:, None], columns]


def masks_at(masks: np.ndarray, boxes: np.ndarray, size: Size, threshold: float) -> np.ndarray:
    """Masks of a file at the size of a picture: (N, *size), bool.

    Args:
        masks: (N, h, w): probabilities over the area of each box, or bool of the whole picture.
        boxes: (N, 4), in pixels of the picture.
        size: Its height and width.
        threshold: A pixel belongs to the object from this probability on.
    """
    if masks.dtype == bool:
        return resized(masks, size)
    return paste_masks(masks, boxes, size, threshold)


def _instances(
    meta: Mapping[str, Any],
    outputs: Mapping[str, np.ndarray],
    size: Size,
    original: Size,
    stated: Stated,
) -> InstanceData:
    count = int(outputs["count"])
    boxes, there = outputs["boxes"][:count], np.ones(count, bool)
    height, width = size
    if stated.size not in (None, size):  # what lies in the padding is none of the picture's objects
        boxes = np.clip(boxes, 0, [width, height, width, height])
        there = (boxes[:, 2:] > boxes[:, :2]).all(1)
    boxes = boxes[there] / np.tile(np.asarray(meta.get("scale_factor", (1.0, 1.0))), 2)
    found = InstanceData(
        bboxes=torch.from_numpy(boxes.astype(np.float32)),
        scores=torch.from_numpy(outputs["scores"][:count][there]),
        labels=torch.from_numpy(outputs["labels"][:count][there].astype(np.int64)),
    )
    if "masks" in outputs:
        masks = outputs["masks"][:count][there]
        if masks.dtype == bool:
            masks = masks[:, :height, :width]
        threshold = 0.5 if stated.threshold is None else stated.threshold
        found.masks = torch.from_numpy(masks_at(masks, boxes, original, threshold))
    return found


def _fill_maps(sample: Any, logits: Tensor, original: Size, stated: Stated) -> None:
    """Class maps of logits (C, h, w), which are scaled before a class is chosen.

    A file gives the probability of a single class, and what the model scales is its logit.
    """
    threshold = stated.threshold
    if threshold is not None:
        logits = logits.logit(_SURE)
    logits = F.interpolate(
        logits[None], original, mode="bilinear", align_corners=stated.align_corners
    )[0]
    if threshold is not None:
        logits = logits.sigmoid()
        classes = (logits > threshold).to(torch.int64)
    else:
        classes = logits.argmax(0, keepdim=True)
    sample.seg_logits = PixelData(data=logits)
    sample.pred_sem_seg = PixelData(data=classes)
