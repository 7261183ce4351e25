"""What detectors do that torch has no operator for, as operators that become standard ones of ONNX.

Each is written twice: for torch, so that a module can be run, and as ONNX says it. Their results
are of fixed size, so that the exporter needs no sizes that depend on values.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

NAMESPACE = "mmfastervit"
_BOOL = 9  # of onnx.TensorProto


@torch.library.custom_op(f"{NAMESPACE}::kept_by_nms", mutates_args=())
def kept_by_nms(
    boxes: Tensor, scores: Tensor, iou_threshold: float, score_threshold: float, most: int
) -> Tensor:
    """Which boxes greedy non-maximum suppression keeps, for each image by itself.

    Args:
        boxes: (B, K, 4) as left, top, right, bottom.
        scores: (B, K).
        iou_threshold: A box is dropped that overlaps a kept one of higher score by more.
        score_threshold: Boxes of this score or below are not looked at.
        most: Of an image, this many are kept, those of the highest scores.

    Returns:
        (B, K), bool.
    """
    from torchvision.ops import nms

    kept = torch.zeros_like(scores, dtype=torch.bool)
    for image in range(len(scores)):
        seen = (scores[image] > score_threshold).nonzero()[:, 0]
        chosen = nms(boxes[image, seen], scores[image, seen], iou_threshold)[:most]
        kept[image, seen[chosen]] = True
    return kept


@kept_by_nms.register_fake
def _(boxes: Tensor, scores: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(scores, dtype=torch.bool)


@torch.library.custom_op(f"{NAMESPACE}::roi_align", mutates_args=())
def roi_align(
    features: Tensor,
    boxes: Tensor,
    images: Tensor,
    size: list[int],
    scale: float,
    samples: int,
    aligned: bool,
) -> Tensor:
    """Features of boxes (Mask R-CNN, section 3): averages of bilinear samples in each cell.

    Args:
        features: (B, C, H, W).
        boxes: (R, 4) in pixels of the image.
        images: (R,), which image of the batch each is of.
        size: Height and width of the result.
        scale: From pixels of the image to those of the features.
        samples: In a cell, in either direction; 0 is one for each pixel of the features.
        aligned: Whether half a pixel is taken off, so that pixels are areas and not points.

    Returns:
        (R, C, *size).
    """
    from torchvision.ops import roi_align as align

    rois = torch.cat([images[:, None].to(boxes), boxes], 1)
    return align(features, rois, tuple(size), scale, samples, aligned)


@roi_align.register_fake
def _(features: Tensor, boxes: Tensor, images: Tensor, size: list[int], *_: Any) -> Tensor:
    return features.new_empty(boxes.shape[0], features.shape[1], *size)


def _nms_in_onnx(
    boxes: Any, scores: Any, iou_threshold: float, score_threshold: float, most: int
) -> Any:
    from onnxscript import opset18

    op: Any = opset18  # its types know tensors alone; numbers and lists become constants

    found = op.NonMaxSuppression(
        boxes, op.Unsqueeze(scores, [1]), most, iou_threshold, score_threshold
    )  # (n, 3): image, class, box
    places = op.Gather(found, [0, 2], axis=1)
    ones = op.Expand([1.0], op.Shape(places, start=0, end=1))
    marks = op.ScatterND(op.Expand([0.0], op.Shape(scores)), places, ones)
    return op.Cast(marks, to=_BOOL)


def _roi_align_in_onnx(
    features: Any,
    boxes: Any,
    images: Any,
    size: list[int],
    scale: float,
    samples: int,
    aligned: bool,
) -> Any:
    from onnxscript import opset18 as op

    height, width = size
    return op.RoiAlign(
        features,
        boxes,
        images,
        coordinate_transformation_mode="half_pixel" if aligned else "output_half_pixel",
        mode="avg",
        output_height=height,
        output_width=width,
        sampling_ratio=samples,
        spatial_scale=scale,
    )


def _adaptive_max_pool_in_onnx(images: Any, size: Any) -> Any:
    """For ``aten.adaptive_max_pool2d``, which torch's exporter does not know."""
    from onnxscript import opset18 as op

    windows = []
    for have, want in zip(images.shape[2:], size, strict=True):
        if have % want:
            raise ValueError(
                f"adaptive max pooling of {have} pixels to {want} has windows of several sizes; "
                "take pictures of a --size that is a multiple of 64"
            )
        windows.append(have // want)
    return op.MaxPool(images, kernel_shape=windows, strides=windows)


def translations() -> Mapping[Callable, Callable]:
    """How torch's exporter writes these operators."""
    return {
        torch.ops.mmfastervit.kept_by_nms.default: _nms_in_onnx,
        torch.ops.mmfastervit.roi_align.default: _roi_align_in_onnx,
        torch.ops.aten.adaptive_max_pool2d.default: _adaptive_max_pool_in_onnx,
    }
