"""Detectors of one stage whose head says, at every pixel of its maps, classes and a box.

RetinaNet, FCOS, ATSS, GFL, RTMDet and whatever else leaves to mmdet's ``BaseDenseHead`` how
detections are made of that.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..adapters import definers, is_a, register_adapter
from ..detections import (
    NONE,
    Results,
    Suppression,
    best,
    check_coder,
    decoded,
    detections,
    kept,
    large_enough,
    positive,
    taken,
)

_SHARED = ("predict", "predict_by_feat", "_bbox_post_process")
_SINGLE = ("BaseDenseHead", "GFLHead")


class DenseDetector(nn.Module):
    """Images to detections of a dense head."""

    def __init__(self, detector: Any):
        super().__init__()
        self.detector = detector
        head = detector.bbox_head
        where = "model.test_cfg"
        check_coder(head.bbox_coder, "model.bbox_head.bbox_coder")
        self.nms = Suppression.of(head.test_cfg, where)
        self.most = positive(head.test_cfg, "nms_pre", where)
        self.threshold = float(head.test_cfg.get("score_thr", 0))
        self.least = float(head.test_cfg.get("min_bbox_size", -1))
        self.integrates = definers(head, ["_predict_by_feat_single"]) == {
            "_predict_by_feat_single": "GFLHead"
        }

    def forward(self, images: Tensor, size: tuple[int, int]) -> Results:
        """Images (B, C, H, W), of which ``size`` is not padding, to detections."""
        head = self.detector.bbox_head
        found: Sequence[Any] = head(self.detector.extract_feat(images))
        logits, deltas, *more = found
        factors = more[0] if more and more[0] is not None else [None] * len(logits)
        sizes = [one.shape[-2:] for one in logits]
        priors = head.prior_generator.grid_priors(
            sizes, dtype=logits[0].dtype, device=logits[0].device
        )
        levels = [
            self._level(*level, size)
            for level in zip(logits, deltas, factors, priors, self._strides(), strict=True)
        ]
        boxes, scores, labels = (torch.cat(parts, 1) for parts in zip(*levels, strict=True))
        scores = large_enough(boxes, scores, self.least)
        scores, places = kept(boxes, scores, labels, self.nms)
        return detections(taken(boxes, places), scores, taken(labels, places))

    def _strides(self) -> list[float]:
        return [stride[0] for stride in self.detector.bbox_head.prior_generator.strides]

    def _level(
        self,
        logits: Tensor,
        deltas: Tensor,
        factors: Tensor | None,
        priors: Any,
        stride: float,
        size: tuple[int, int],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (B, K, 4), scores and labels (B, K) of the candidates of one map."""
        head = self.detector.bbox_head
        scores = class_scores(head, by_prior(logits, head.cls_out_channels))
        classes = scores.shape[2]
        passing = torch.where(scores > self.threshold, scores, NONE).flatten(1)
        chosen, places = best(passing, self.most)
        which = places // classes
        if factors is not None:
            factor = taken(by_prior(factors, 1).sigmoid()[..., 0], which)
            chosen = torch.where(chosen > NONE, chosen * factor, NONE)
        width = 4 * (head.reg_max + 1) if self.integrates else head.bbox_coder.encode_size
        deltas = taken(by_prior(deltas, width), which)
        chosen_priors = getattr(priors, "tensor", priors)[which]
        if self.integrates:
            # GFL says how far each side is as a distribution (Generalized Focal Loss, equation 4);
            # its own layer asks for the type of a buffer, on which torch's exporter stumbles
            shares = deltas.unflatten(-1, (4, -1)).softmax(-1)
            deltas = shares @ head.integral.project * stride
            corners = chosen_priors.reshape(-1, 4)
            chosen_priors = head.anchor_center(corners).reshape(*which.shape, 2)
        boxes = decoded(head.bbox_coder, chosen_priors, deltas, size)
        return boxes, chosen, places % classes


def by_prior(maps: Tensor, width: int) -> Tensor:
    """Maps (B, priors * width, H, W) to rows (B, H * W * priors, width)."""
    return maps.permute(0, 2, 3, 1).reshape(maps.shape[0], -1, width)


def class_scores(head: Any, logits: Tensor) -> Tensor:
    """Scores (B, K, classes) of logits, as a dense head makes them."""
    if getattr(head.loss_cls, "custom_cls_channels", False):
        return head.loss_cls.get_activation(logits)
    return logits.sigmoid() if head.use_sigmoid_cls else logits.softmax(-1)[..., :-1]


def is_dense(model: nn.Module) -> bool:
    """Whether detections of a model are made as ``BaseDenseHead`` does."""
    head = getattr(model, "bbox_head", None)
    if not (is_a(model, "SingleStageDetector") and is_a(head, "BaseDenseHead")):
        return False
    detector = definers(model, ["predict"])["predict"]
    shared = definers(head, _SHARED)
    single = definers(head, ["_predict_by_feat_single"])["_predict_by_feat_single"]
    return (
        detector == "SingleStageDetector"
        and set(shared.values()) == {"BaseDenseHead"}
        and single in _SINGLE
    )


register_adapter(
    "dense heads (RetinaNet, FCOS, ATSS, GFL, RTMDet and their like)",
    is_dense,
    DenseDetector,
    pads=True,
)
