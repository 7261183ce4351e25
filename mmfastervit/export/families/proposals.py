"""Boxes that may hold an object: the first stage of detectors of two, or a detector by itself."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..adapters import definers, is_a, register_adapter
from ..detections import (
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
from .dense import by_prior

_METHODS = ("predict_by_feat", "_predict_by_feat_single", "_bbox_post_process")
_WHERE = "model.test_cfg.rpn"


class Proposals(nn.Module):
    """Maps to boxes that may hold an object: what mmdet's ``RPNHead`` predicts."""

    def __init__(self, head: Any):
        super().__init__()
        self.head = head
        check_coder(head.bbox_coder, "model.rpn_head.bbox_coder")
        self.nms = Suppression.of(head.test_cfg, _WHERE)
        self.most = positive(head.test_cfg, "nms_pre", _WHERE)
        self.least = float(head.test_cfg.get("min_bbox_size", -1))

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Boxes (B, N, 4), and scores (B, N), which are negative where there is no box."""
        logits, deltas = self.head(maps)
        sizes = [one.shape[-2:] for one in logits]
        priors = self.head.prior_generator.grid_priors(
            sizes, dtype=logits[0].dtype, device=logits[0].device
        )
        boxes, scores, groups = [], [], []
        for level, (logit, delta, prior) in enumerate(zip(logits, deltas, priors, strict=True)):
            box, score = self._level(logit, delta, prior, size)
            boxes.append(box)
            scores.append(score)
            groups.append(torch.full_like(score, level))
        all_boxes = torch.cat(boxes, 1)
        all_scores = large_enough(all_boxes, torch.cat(scores, 1), self.least)
        found, places = kept(all_boxes, all_scores, torch.cat(groups, 1), self.nms)
        return taken(all_boxes, places), found

    def _level(
        self, logits: Tensor, deltas: Tensor, priors: Any, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        values = by_prior(logits, self.head.cls_out_channels)
        single = self.head.use_sigmoid_cls
        scores = values.sigmoid()[..., 0] if single else values.softmax(-1)[..., 0]
        scores, places = best(scores, self.most)
        deltas = taken(by_prior(deltas, self.head.bbox_coder.encode_size), places)
        chosen = getattr(priors, "tensor", priors)[places]
        return decoded(self.head.bbox_coder, chosen, deltas, size), scores


class ProposalDetector(nn.Module):
    """Images to boxes that may hold an object, all of label 0: a first stage alone."""

    def __init__(self, detector: Any):
        super().__init__()
        self.detector = detector
        self.proposals = Proposals(detector.bbox_head)

    def forward(self, images: Tensor, size: tuple[int, int]) -> Results:
        """Images (B, C, H, W), of which ``size`` is not padding, to detections."""
        boxes, scores = self.proposals(self.detector.extract_feat(images), size)
        return detections(boxes, scores, torch.zeros_like(scores, dtype=torch.int64))


def is_first_stage(model: nn.Module) -> bool:
    """Whether a model is mmdet's ``RPN``."""
    return is_a(model, "RPN") and makes_proposals(getattr(model, "bbox_head", None))


def makes_proposals(head: Any) -> bool:
    """Whether a head makes them as ``RPNHead`` does."""
    made = definers(head, _METHODS)
    return is_a(head, "RPNHead") and set(made.values()) == {"RPNHead", "BaseDenseHead"}


register_adapter("region proposals (RPN)", is_first_stage, ProposalDetector, pads=True)
