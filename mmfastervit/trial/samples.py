"""Generated images with labels, for one step of any kind of model."""

from typing import Any

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmfastervit.config.tree import dict_at, type_name, walk

IMAGE_SIDE = 64
BATCH = 2
_BOXES = ((4, 6, 30, 35), (25, 20, 60, 55), (10, 32, 26, 62))  # of a 64x64 image
_RGB = 3
# Height and width of the images that a model needs to take a step; DDOD's deformable convolutions
# want 3 pixels on the level of stride 128.
_IMAGE_SIZES = {"DDOD": (384, 384), "BaseReID": (256, 128)}
_TAKE_PROPOSALS = ("FastRCNN",)  # others make their own


def make_batch(cfg: dict, model: dict, scope: str | None) -> dict[str, list]:
    """Make a batch as the data loader would hand it to the model.

    Args:
        cfg: The whole config; its pipelines say what is loaded.
        model: The config of the model to feed.
        scope: ``"mmdet"``, ``"mmseg"`` or ``"mmpretrain"``.
    """
    height, width = image_size(model)
    channels = model["backbone"].get("in_channels", _RGB)
    images = [
        torch.randint(0, 256, (channels, height, width), dtype=torch.uint8) for _ in range(BATCH)
    ]
    make = {"mmseg": _segmentation, "mmpretrain": _classification}.get(scope or "", _detection)
    kind = type_name(model["type"])
    if kind in ("BaseReID", "ImageClassifier"):
        make = _classification
    samples = [make(cfg, model, i, (height, width)) for i in range(BATCH)]
    if kind == "Mask2FormerVideo":
        return _as_video(images, samples)
    return dict(inputs=images, data_samples=samples)


def image_size(model: dict) -> tuple[int, int]:
    """64x64, unless the model was made for another size."""
    kind = type_name(model["type"])
    side = dict_at(model, ("bbox_head", "anchor_generator")).get("input_size", IMAGE_SIDE)
    return _IMAGE_SIZES.get(kind, (side, side))


def _meta(index: int, size: tuple[int, int]) -> dict[str, Any]:
    return dict(
        img_id=index, img_path="generated", img_shape=size, ori_shape=size, pad_shape=size,
        scale_factor=(1.0, 1.0), flip=False, flip_direction=None,
        border=np.array([0, size[0], 0, size[1]]), batch_input_shape=size,
    )  # fmt: skip


def _boxes(size: tuple[int, int]) -> Tensor:
    height, width = size
    scale = torch.tensor([width, height, width, height]) / IMAGE_SIDE
    return torch.tensor(_BOXES, dtype=torch.float32) * scale


def _detection(cfg: dict, model: dict, index: int, size: tuple[int, int]) -> BaseDataElement:
    from mmdet.structures import DetDataSample
    from mmdet.structures.bbox import HorizontalBoxes
    from mmdet.structures.mask import BitmapMasks
    from mmengine.structures import InstanceData, PixelData

    boxes = _boxes(size)
    labels = torch.arange(len(boxes)) % count_classes(model)
    masks = np.zeros((len(boxes), *size), dtype=np.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist(), strict=True):
        mask[top:bottom, left:right] = 1
    sample = DetDataSample(metainfo=_meta(index, size))
    sample.gt_instances = InstanceData(
        bboxes=HorizontalBoxes(boxes), labels=labels, instances_ids=torch.arange(len(boxes))
    )
    sample.ignored_instances = InstanceData(bboxes=HorizontalBoxes(boxes[:0]), labels=labels[:0])
    if loads_masks(cfg):
        sample.gt_instances.masks = BitmapMasks(masks, *size)
        sample.ignored_instances.masks = BitmapMasks(masks[:0], *size)
    if type_name(model["type"]) in _TAKE_PROPOSALS:
        sample.proposals = InstanceData(bboxes=boxes + 3, scores=torch.ones(len(boxes)))
    step = semantic_step(cfg)
    sample.gt_sem_seg = PixelData(sem_seg=_semantic(boxes, labels, size)[:, ::step, ::step])
    return sample


def _semantic(boxes: Tensor, labels: Tensor, size: tuple[int, int]) -> Tensor:
    """A label map (1, H, W) of the boxes, unlabelled elsewhere."""
    semantic = torch.full((1, *size), 255, dtype=torch.long)
    for (left, top, right, bottom), label in zip(boxes.int().tolist(), labels, strict=True):
        semantic[:, top:bottom, left:right] = label
    return semantic


def loads_masks(cfg: dict) -> bool:
    """Whether the pipeline loads a mask of each instance."""
    pipeline = str(cfg.get("train_dataloader"))
    return "'with_mask': True" in pipeline or "LoadPanopticAnnotations" in pipeline


def semantic_step(cfg: dict) -> int:
    """How many times smaller than the image the pipeline makes its label maps."""
    pipeline = str((cfg.get("train_dataloader") or {}).get("dataset"))
    if "SegRescale" not in pipeline:
        return 1
    scale = float(pipeline.split("'scale_factor': ", 1)[1].split("}")[0].split(",")[0])
    return round(1 / scale)


def count_classes(model: dict) -> int:
    """The smallest number of classes that a head of the model tells apart."""
    keys = ("num_classes", "num_things_classes")
    found = [
        value
        for path, value in walk(model)
        if path and path[-1] in keys and isinstance(value, int) and value
    ]
    return min(found, default=1)


def _segmentation(cfg: dict, model: dict, index: int, size: tuple[int, int]) -> BaseDataElement:
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    labels = torch.arange(len(_BOXES)) % count_classes(model)
    semantic = _semantic(_boxes(size), labels, size)
    semantic[semantic == 255] = 0
    sample = SegDataSample(metainfo=_meta(index, size))
    sample.gt_sem_seg = PixelData(data=semantic)
    return sample


def _classification(cfg: dict, model: dict, index: int, size: tuple[int, int]) -> BaseDataElement:
    if type_name(model["type"]) == "BaseReID":
        from mmdet.structures import ReIDDataSample as DataSample
    else:
        from mmpretrain.structures import DataSample

    return DataSample(metainfo=_meta(index, size)).set_gt_label(index % count_classes(model))


def _as_video(images: list[Tensor], samples: list) -> dict[str, list]:
    """Two frames, the images themselves, as one video."""
    from mmdet.structures import TrackDataSample

    for frame, sample in enumerate(samples):
        sample.set_metainfo(dict(frame_id=frame, ori_video_length=len(samples), video_length=2))
    video = TrackDataSample(metainfo=dict(key_frames_inds=[0], ref_frames_inds=[1]))
    video.video_data_samples = samples
    return dict(inputs=[torch.stack(images)], data_samples=[video])
