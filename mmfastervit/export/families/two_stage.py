"""Detectors of two stages: proposals, then a class, a box and, where there is one, a mask of each.

Faster, Mask and Cascade (Mask) R-CNN, and whatever else leaves to mmdet's standard and cascade
heads how detections are made.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..adapters import Refused, definers, is_a, register_adapter
from ..detections import (
    NONE,
    Results,
    Suppression,
    activated,
    check_coder,
    decoded,
    detections,
    kept,
    taken,
)
from ..operators import roi_align
from .proposals import Proposals, makes_proposals

_ROI = ("predict", "predict_bbox", "predict_mask", "_bbox_forward", "_mask_forward")
_HEADS = ("_predict_by_feat_single", "predict_by_feat")
_WHERE = "model.test_cfg.rcnn"


class Extractor(nn.Module):
    """Features of boxes, each from the map of its size: mmdet's ``SingleRoIExtractor``.

    Every box is looked up on every map, so that sizes are fixed; on those that are not its own it
    is a box of no area, which costs nothing.
    """

    def __init__(self, extractor: Any, where: str):
        super().__init__()
        self.extractor = extractor
        layers = list(extractor.roi_layers)
        kinds = {type(layer).__name__ for layer in layers}
        if not is_a(extractor, "SingleRoIExtractor") or kinds != {"RoIAlign"}:
            raise Refused(
                f"{where} is a {type(extractor).__name__} of {', '.join(sorted(kinds))}; a "
                "SingleRoIExtractor of RoIAlign can be exported"
            )
        if any(layer.pool_mode != "avg" for layer in layers):
            raise Refused(f"{where} takes the largest sample of a cell; pool_mode='avg' is known")

    def forward(self, maps: Sequence[Tensor], boxes: Tensor) -> Tensor:
        """Maps (B, C, H, W) and boxes (B, N, 4) to features (B * N, C, h, w)."""
        layers = self.extractor.roi_layers
        batch, count = boxes.shape[:2]
        flat = boxes.reshape(-1, 4)
        images = torch.arange(batch)[:, None].expand(batch, count).reshape(-1)
        used = list(zip(maps, layers, strict=False))
        if len(used) == 1:
            return _aligned(used[0][0], flat, images, used[0][1])
        rois = torch.cat([images[:, None].to(flat), flat], 1)
        levels = self.extractor.map_roi_levels(rois, len(used))[:, None]
        total: Tensor | None = None
        for level, (one, layer) in enumerate(used):
            here = levels == level
            part = _aligned(one, torch.where(here, flat, 0.0), images, layer)
            part = torch.where(here[..., None, None], part, 0.0)
            total = part if total is None else total + part
        assert total is not None  # there is a map
        return total


def _aligned(features: Tensor, boxes: Tensor, images: Tensor, layer: Any) -> Tensor:
    size = [int(side) for side in layer.output_size]
    samples, scale = int(layer.sampling_ratio), float(layer.spatial_scale)
    return roi_align(features, boxes, images, size, scale, samples, bool(layer.aligned))


class TwoStageDetector(nn.Module):
    """Images to detections of a standard or a cascade head.

    Attributes:
        mask_threshold: From which probability on a pixel belongs to an object.
    """

    def __init__(self, detector: Any):
        super().__init__()
        self.detector = detector
        head = detector.roi_head
        self.proposals = Proposals(detector.rpn_head)
        self.is_cascade = is_a(head, "CascadeRoIHead")
        self.stages = head.num_stages if self.is_cascade else 1
        self.nms = Suppression.of(head.test_cfg, _WHERE)
        self.threshold = float(head.test_cfg.score_thr)
        self.box_extractors = nn.ModuleList(
            Extractor(one, "model.roi_head.bbox_roi_extractor")
            for one in self._each("bbox_roi_extractor")
        )
        for one in self._each("bbox_head"):
            check_coder(one.bbox_coder, "model.roi_head.bbox_head.bbox_coder")
        self.mask_extractors = nn.ModuleList()
        if head.with_mask:
            self.mask_threshold = float(head.test_cfg.mask_thr_binary)
            if self.mask_threshold < 0:
                raise Refused(f"{_WHERE}.mask_thr_binary is {self.mask_threshold}, and no mask")
            name = "bbox_roi_extractor" if head.share_roi_extractor else "mask_roi_extractor"
            self.mask_extractors.extend(
                Extractor(one, f"model.roi_head.{name}") for one in self._each(name)
            )

    def _each(self, name: str) -> list[Any]:
        """A part of the head at each stage."""
        part = getattr(self.detector.roi_head, name)
        return list(part) if isinstance(part, nn.ModuleList) else [part]

    def forward(self, images: Tensor, size: tuple[int, int]) -> Results:
        """Images (B, C, H, W), of which ``size`` is not padding, to detections with masks."""
        maps = self.detector.extract_feat(images)
        boxes, ranks = self.proposals(maps, size)
        boxes, logits, deltas = self._refined(maps, boxes, size)
        head = self._each("bbox_head")[-1]
        custom = getattr(head, "custom_cls_channels", False)
        scores = activated(head.loss_cls, logits) if custom else logits.softmax(-1)
        results = self._suppressed(head, boxes, ranks, scores[..., :-1], deltas, size)
        if len(self.mask_extractors):
            results["masks"] = self._masks(maps, results)
        return results

    def _refined(
        self, maps: Sequence[Tensor], boxes: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes before the last stage, mean logits of all stages, and the last one's deltas."""
        heads = self._each("bbox_head")
        total: Tensor | None = None
        for stage, (head, extractor) in enumerate(zip(heads, self.box_extractors, strict=True)):
            features = extractor(maps, boxes)
            if self.detector.roi_head.with_shared_head:
                features = self.detector.roi_head.shared_head(features)
            logits, deltas = (part.reshape(*boxes.shape[:2], -1) for part in head(features))
            total = logits if total is None else total + logits
            if stage < len(heads) - 1:
                boxes = self._regressed(head, boxes, logits, deltas, size)
        assert total is not None  # there is a stage
        return boxes, total / len(heads), deltas

    def _regressed(
        self, head: Any, boxes: Tensor, logits: Tensor, deltas: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """The boxes that the next stage looks at (Cascade R-CNN, equation 5)."""
        if not head.reg_class_agnostic:
            scores = activated(head.loss_cls, logits) if head.custom_activation else logits
            label = scores[..., :-1].argmax(-1, keepdim=True)  # (B, N, 1)
            places = label * 4 + torch.arange(4)
            deltas = deltas.gather(2, places)
        return decoded(head.bbox_coder, boxes, deltas, size)

    def _suppressed(
        self,
        head: Any,
        boxes: Tensor,
        ranks: Tensor,
        scores: Tensor,
        deltas: Tensor,
        size: tuple[int, int],
    ) -> Results:
        """Detections among all classes of all boxes (B, N, 4), whose ranks tell if they are."""
        batch, count, classes = scores.shape
        there = (ranks > NONE)[..., None] & (scores > self.threshold)
        passing = torch.where(there, scores, NONE).flatten(1)  # (B, N * classes)
        each = 1 if head.reg_class_agnostic else classes
        deltas = deltas.reshape(batch, count, each, 4)
        priors = boxes[:, :, None].expand(batch, count, each, 4)
        every = decoded(head.bbox_coder, priors, deltas, size).expand(batch, count, classes, 4)
        every = every.reshape(batch, -1, 4)
        labels = torch.arange(classes).repeat(count).expand(batch, -1)
        found, places = kept(every, passing, labels, self.nms)
        return detections(taken(every, places), found, places % classes)

    def _masks(self, maps: Sequence[Tensor], results: Results) -> Tensor:
        """(B, N, h, w): probabilities over the area of each detection."""
        boxes, labels = results["boxes"], results["labels"]
        heads = self._each("mask_head")
        total: Tensor | None = None
        for head, extractor in zip(heads, self.mask_extractors, strict=True):
            features = extractor(maps, boxes)
            if self.detector.roi_head.with_shared_head:
                features = self.detector.roi_head.shared_head(features)
            which = torch.zeros_like(labels) if head.class_agnostic else labels.clamp(min=0)
            masks = chosen_masks(head, features, which.flatten()).sigmoid()
            total = masks if total is None else total + masks
        assert total is not None  # there is a head
        mean = (total / len(heads)).reshape(*labels.shape, *total.shape[1:])
        return torch.where((labels >= 0)[..., None, None], mean, 0.0)


def chosen_masks(head: Any, features: Tensor, which: Tensor) -> Tensor:
    """Logits (R, h, w) of one class of each of R regions, of features (R, C, ., .).

    Where the last layer is a plain one, it is computed for that class alone: of a thousand classes
    the masks of all take gigabytes.
    """
    last = head.conv_logits
    if type(last).__name__ != "Conv2d" or last.kernel_size != (1, 1):  # torch's or mmcv's
        logits = head(features)
        index = which[:, None, None, None].expand(-1, 1, *logits.shape[2:])
        return logits.gather(1, index)[:, 0]
    head.conv_logits = nn.Identity()
    try:
        seen = head(features)  # (R, C', h, w)
    finally:
        head.conv_logits = last
    kernels = last.weight[which, :, 0, 0][:, None]  # (R, 1, C')
    logits = (kernels @ seen.flatten(2)).reshape(-1, *seen.shape[2:])
    return logits if last.bias is None else logits + last.bias[which][:, None, None]


def is_two_stage(model: nn.Module) -> bool:
    """Whether detections of a model are made as the standard and cascade heads do."""
    head: Any = getattr(model, "roi_head", None)
    rpn = getattr(model, "rpn_head", None)
    if definers(model, ["predict"])["predict"] != "TwoStageDetector" or not makes_proposals(rpn):
        return False
    known = {"StandardRoIHead", "CascadeRoIHead", "BaseRoIHead"}
    if not set(definers(head, _ROI).values()) <= known:
        return False
    if definers(head, ["_refine_roi"])["_refine_roi"] not in ("", "CascadeRoIHead"):
        return False
    return _made_by(head.bbox_head, "BBoxHead") and (
        not head.with_mask or _made_by(head.mask_head, "FCNMaskHead")
    )


def _made_by(part: nn.Module, name: str) -> bool:
    heads = list(part) if isinstance(part, nn.ModuleList) else [part]
    return all(set(definers(head, _HEADS).values()) == {name} for head in heads)


register_adapter(
    "Faster, Mask and Cascade (Mask) R-CNN and their like",
    is_two_stage,
    TwoStageDetector,
    pads=True,
)
