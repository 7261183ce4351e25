"""Detectors whose queries attend to maps: DETR and its kin, Deformable DETR, DINO.

mmcv's deformable attention runs on a processor as bilinear sampling, which ONNX has as GridSample.
What stands in the way is that sizes of maps go through mmdet as a tensor and come out of it as
numbers; here they are numbers throughout (:class:`Sizes`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..adapters import definers, is_a, register_adapter
from ..detections import Results, clipped, detections, taken

_DEFORMABLE = ("DeformableDETR", "DINO")
_OF_ONE_MAP = ("DETR", "ConditionalDETR", "DABDETR")


class Sizes:
    """Heights and widths of maps, where mmdet and mmcv expect a tensor (levels, 2).

    They go through it for numbers, compare the number of pixels, and divide by widths and heights.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]]):
        self._sizes = [(int(height), int(width)) for height, width in sizes]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)

    def __getitem__(self, index: Any) -> Any:
        """``[:, i]`` as an array, whose sum is a number, and ``[..., i]`` as a tensor."""
        which, column = index
        values = [size[column] for size in self._sizes]
        return torch.tensor(values) if which is Ellipsis else np.array(values)


class QueryDetector(nn.Module):
    """Images to detections of a transformer with deformable attention."""

    def __init__(self, detector: Any):
        super().__init__()
        self.detector = detector
        head = detector.bbox_head
        self.is_dino = is_a(detector, "DINO")
        self.most = head.test_cfg.get("max_per_img")

    def forward(self, images: Tensor, size: tuple[int, int]) -> Results:
        """Images (B, C, H, W), of which ``size`` is not padding, to detections."""
        detector = self.detector
        maps = detector.extract_feat(images)
        height, width = images.shape[2:]
        encoded, shared = self._flattened(maps, (height, width), size)
        memory = detector.forward_encoder(**encoded, **shared)
        queries, _ = detector.pre_decoder(**memory)
        states, references = self._decoded(queries, encoded["feat_mask"], shared)
        logits, boxes = (layers[-1] for layers in detector.bbox_head(states, references))
        return best_queries(detector.bbox_head, self.most, logits, boxes, size)

    def _decoded(
        self, queries: dict[str, Any], mask: Tensor | None, shared: dict[str, Any]
    ) -> tuple[Tensor, list[Tensor]]:
        """States of queries after each layer, and the references that they looked around.

        Not by ``forward_decoder``, which asks DINO's for the length of the batch.
        """
        detector = self.detector
        refines = self.is_dino or detector.with_box_refine
        own = "self_attn_mask" if self.is_dino else "query_pos"
        options = {own: queries.get("query_pos")}  # DINO masks in training alone
        states, references = detector.decoder(
            query=queries["query"],
            value=queries["memory"],
            key_padding_mask=mask,
            reference_points=queries["reference_points"],
            reg_branches=detector.bbox_head.reg_branches if refines else None,
            **options,
            **shared,
        )
        if self.is_dino:  # which gives the first reference too
            return states, list(references)
        return states, [queries["reference_points"], *references]

    def _flattened(
        self, maps: Sequence[Tensor], padded: tuple[int, int], size: tuple[int, int]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Of maps (B, C, h, w): what the encoder takes, and what the decoder takes too."""
        detector = self.detector
        batch = maps[0].shape[0]
        outside = None if padded == tuple(size) else _outside(padded, size)
        features, places, masks, ratios = [], [], [], []
        for level, one in enumerate(maps):
            if outside is None:
                place = detector.positional_encoding(None, input=one)
                ratios.append(one.new_ones(batch, 2))
            else:
                mask = F.interpolate(outside, size=one.shape[-2:])[0].bool()
                mask = mask.expand(batch, -1, -1)
                place = detector.positional_encoding(mask)
                ratios.append(detector.get_valid_ratio(mask))
                masks.append(mask.flatten(1))
            features.append(one.flatten(2).transpose(1, 2))  # (B, h * w, C)
            places.append(place.flatten(2).transpose(1, 2) + detector.level_embed[level])
        shared = dict(
            spatial_shapes=Sizes([(one.shape[-2], one.shape[-1]) for one in maps]),
            level_start_index=None,  # of the kernel on a GPU
            valid_ratios=torch.stack(ratios, 1),
        )
        padding = torch.cat(masks, 1) if masks else None
        encoder = dict(
            feat=torch.cat(features, 1), feat_mask=padding, feat_pos=torch.cat(places, 1)
        )
        return encoder, shared


def best_queries(
    head: Any, most: int | None, logits: Tensor, boxes: Tensor, size: tuple[int, int]
) -> Results:
    """Detections of the best queries, as ``DETRHead`` and ``DeformableDETRHead`` choose them.

    Args:
        head: Says how scores are made.
        most: How many; None for as many as there are queries.
        logits: (B, Q, classes).
        boxes: (B, Q, 4), centre and sides as shares of the image.
        size: Height and width of the images before padding.
    """
    most = most or logits.shape[1]
    if head.loss_cls.use_sigmoid:
        scores, places = logits.sigmoid().flatten(1).topk(most, 1)
        labels, which = places % head.num_classes, places // head.num_classes
    else:
        best, classes = logits.softmax(-1)[..., :-1].max(-1)
        scores, which = best.topk(most, 1)
        labels = taken(classes, which)
    centre, sides = taken(boxes, which).split(2, -1)
    height, width = size
    scale = torch.tensor([width, height, width, height], dtype=boxes.dtype)
    corners = torch.cat([centre - sides / 2, centre + sides / 2], -1) * scale
    return detections(clipped(corners, size), scores, labels)


class SingleMapDetector(nn.Module):
    """Images to detections of a transformer whose queries attend to all of one map."""

    def __init__(self, detector: Any):
        super().__init__()
        self.detector = detector
        self.most = detector.bbox_head.test_cfg.get("max_per_img")

    def forward(self, images: Tensor, size: tuple[int, int]) -> Results:
        """Images (B, C, H, W), of which ``size`` is not padding, to detections."""
        detector = self.detector
        features = detector.extract_feat(images)[-1]
        padded = (images.shape[2], images.shape[3])
        mask: Tensor | None = None
        if padded != tuple(size):
            outside = F.interpolate(_outside(padded, size), size=features.shape[-2:])[0].bool()
            mask = outside.expand(features.shape[0], -1, -1)
        place = detector.positional_encoding(mask, input=features)
        places = place.flatten(2).transpose(1, 2)  # (B, h * w, C)
        mask = None if mask is None else mask.flatten(1)
        encoded = detector.forward_encoder(
            feat=features.flatten(2).transpose(1, 2), feat_mask=mask, feat_pos=places
        )
        queries, _ = detector.pre_decoder(**encoded)
        decoded = detector.forward_decoder(**queries, memory_mask=mask, memory_pos=places)
        logits, boxes = (layers[-1] for layers in detector.bbox_head(**decoded))
        return best_queries(detector.bbox_head, self.most, logits, boxes, size)


def _outside(padded: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """(1, 1, H, W): 1 where images are padding."""
    height, width = size
    below, beside = padded[0] - height, padded[1] - width
    return F.pad(torch.zeros(1, 1, height, width), (0, beside, 0, below), value=1.0)


def is_query_detector(model: nn.Module) -> bool:
    """Whether a model is Deformable DETR or DINO."""
    return _chosen_by(model, _DEFORMABLE, "DeformableDETRHead")


def is_single_map_detector(model: nn.Module) -> bool:
    """Whether a model is DETR or one of its kin that look at one map."""
    return _chosen_by(model, _OF_ONE_MAP, "DETRHead")


def _chosen_by(model: nn.Module, detectors: Sequence[str], head: str) -> bool:
    """Whether a model is one of some detectors, whose detections are chosen by a class of head."""
    if type(model).__name__ not in detectors or not is_a(model, "DetectionTransformer"):
        return False
    made = definers(model.bbox_head, ("predict_by_feat", "_predict_by_feat_single"))
    return made == {"predict_by_feat": head, "_predict_by_feat_single": "DETRHead"}


register_adapter("Deformable DETR and DINO", is_query_detector, QueryDetector, is_dynamic=False)
register_adapter(
    "DETR, Conditional DETR and DAB-DETR",
    is_single_map_detector,
    SingleMapDetector,
    is_dynamic=False,
)
