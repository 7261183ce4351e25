"""Detectors of one stage whose head says, at every pixel of its maps, classes and a box.

RetinaNet, FCOS, ATSS, GFL, RTMDet, TOOD, RepPoints, FoveaBox and whatever else leaves to mmdet's
``BaseDenseHead`` how detections are made of that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..adapters import definers, is_a, register_adapter
from ..detections import (
    NONE,
    Results,
    Suppression,
    activated,
    best,
    check_coder,
    clipped,
    decoded,
    detections,
    kept,
    large_enough,
    positive,
    taken,
)

_SHARED = ("predict", "predict_by_feat", "_bbox_post_process")


class DenseDetector(nn.Module):
    """Images to detections of a dense head."""

    def __init__(self, detector: Any):
        super().__init__()
        self.detector = detector
        head = detector.bbox_head
        where = "model.test_cfg"
        self.reading = _READINGS[_single(head)]
        if self.reading.by_coder:
            check_coder(head.bbox_coder, "model.bbox_head.bbox_coder")
        self.nms = Suppression.of(head.test_cfg, where)
        self.most = positive(head.test_cfg, "nms_pre", where)
        self.threshold = float(head.test_cfg.get("score_thr", 0))
        self.least = float(head.test_cfg.get("min_bbox_size", -1))

    def forward(self, images: Tensor, size: tuple[int, int]) -> Results:
        """Images (B, C, H, W), of which ``size`` is not padding, to detections."""
        found = self.detector.bbox_head(self.detector.extract_feat(images))
        return self.detected(*found, size=size)[0]

    def detected(
        self,
        logits: Sequence[Tensor],
        values: Sequence[Tensor],
        factors: Sequence[Tensor | None] | None = None,
        *,
        size: tuple[int, int],
    ) -> tuple[Results, Tensor]:
        """Detections of what a head says on its maps.

        Args:
            logits: Of each map (B, priors * classes, h, w).
            values: Of each map (B, priors * width, h, w): what says a box.
            factors: Of each map (B, priors, h, w), whose sigmoids scores are multiplied by.
            size: Height and width of the images before padding.

        Returns:
            The detections, and of which prior, of those of all maps, each is (B, N).
        """
        sizes = [one.shape[-2:] for one in logits]
        priors = self.detector.bbox_head.prior_generator.grid_priors(
            sizes, dtype=logits[0].dtype, device=logits[0].device
        )
        factors = factors or [None] * len(logits)
        levels, before = [], 0
        for level, each in enumerate(zip(logits, values, factors, priors, strict=True)):
            *found, which = self._level(level, *each, size)
            levels.append((*found, which + before))
            before += each[-1].shape[0]
        boxes, scores, labels, which = (torch.cat(one, 1) for one in zip(*levels, strict=True))
        scores = large_enough(boxes, scores, self.least)
        scores, places = kept(boxes, scores, labels, self.nms)
        results = detections(taken(boxes, places), scores, taken(labels, places))
        return results, taken(which, places)

    def _level(
        self,
        level: int,
        logits: Tensor,
        values: Tensor,
        factors: Tensor | None,
        priors: Any,
        size: tuple[int, int],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of the candidates of one map: boxes (B, K, 4), scores, labels and priors (B, K)."""
        head = self.detector.bbox_head
        scores = self.reading.scores(head, by_prior(logits, head.cls_out_channels))
        classes = scores.shape[2]
        passing = torch.where(scores > self.threshold, scores, NONE).flatten(1)
        chosen, places = best(passing, self.most)
        which = places // classes
        if factors is not None:
            factor = taken(by_prior(factors, 1).sigmoid()[..., 0], which)
            chosen = torch.where(chosen > NONE, chosen * factor, NONE)
        values = taken(by_prior(values, self.reading.width(head)), which)
        priors = getattr(priors, "tensor", priors)[which]
        boxes = self.reading.boxes(head, level, priors, values, size)
        return boxes, chosen, places % classes, which


def by_prior(maps: Tensor, width: int) -> Tensor:
    """Maps (B, priors * width, H, W) to rows (B, H * W * priors, width)."""
    return maps.permute(0, 2, 3, 1).reshape(maps.shape[0], -1, width)


def class_scores(head: Any, logits: Tensor) -> Tensor:
    """Scores (B, K, classes) of logits, as a dense head makes them."""
    if getattr(head.loss_cls, "custom_cls_channels", False):
        return activated(head.loss_cls, logits)
    return logits.sigmoid() if head.use_sigmoid_cls else logits.softmax(-1)[..., :-1]


def _given(_: Any, scores: Tensor) -> Tensor:
    return scores


def _by_coder(head: Any, _: int, priors: Tensor, values: Tensor, size: tuple[int, int]) -> Tensor:
    return decoded(head.bbox_coder, priors, values, size)


def _by_distribution(
    head: Any, level: int, priors: Tensor, values: Tensor, size: tuple[int, int]
) -> Tensor:
    """GFL says how far each side is as a distribution (Generalized Focal Loss, equation 4).

    Its own layer asks for the type of a buffer, on which torch's exporter stumbles.
    """
    shares = values.unflatten(-1, (4, -1)).softmax(-1)
    distances = shares @ head.integral.project * head.prior_generator.strides[level][0]
    centres = head.anchor_center(priors.reshape(-1, 4)).reshape(*priors.shape[:2], 2)
    return decoded(head.bbox_coder, centres, distances, size)


def _in_strides(head: Any, level: int, _: Tensor, values: Tensor, __: tuple[int, int]) -> Tensor:
    """TOOD's boxes are whole already, in strides (arXiv 2108.07755)."""
    return values * head.prior_generator.strides[level][0]


def _from_point(
    head: Any, level: int, priors: Tensor, values: Tensor, size: tuple[int, int]
) -> Tensor:
    """RepPoints' corners are so far, in strides, from their point (arXiv 1904.11490)."""
    point = priors[..., :2]
    corners = values * head.point_strides[level] + torch.cat([point, point], -1)
    return clipped(corners, size)


def _by_exponents(
    head: Any, level: int, priors: Tensor, values: Tensor, size: tuple[int, int]
) -> Tensor:
    """FoveaBox says logarithms of distances, in its map's length (arXiv 1904.03797)."""
    left, top, right, bottom = (values.exp() * head.base_edge_list[level]).unbind(-1)
    x, y = priors[..., 0], priors[..., 1]
    corners = torch.stack([x - left, y - top, x + right, y + bottom], -1)
    return clipped(corners, (size[0] - 1, size[1] - 1))


@dataclass(frozen=True)
class _Reading:
    """How candidates are read from what a head says of its priors.

    Args:
        boxes: From the head, the number of the map, priors (B, K, 2 or 4), values (B, K, width) and
            the size of the images to boxes (B, K, 4).
        scores: From the head and logits to scores (B, K, classes).
        width: Values that say a box.
        by_coder: Whether the head's ``bbox_coder`` takes part.
    """

    boxes: Callable[[Any, int, Tensor, Tensor, tuple[int, int]], Tensor]
    scores: Callable[[Any, Tensor], Tensor] = class_scores
    width: Callable[[Any], int] = lambda head: 4
    by_coder: bool = False


_CODED = _Reading(_by_coder, width=lambda head: head.bbox_coder.encode_size, by_coder=True)
# By the class that says how a head's maps are read
_READINGS = {
    "BaseDenseHead": _CODED,
    "RTMDetInsHead": _CODED,  # which goes on where boxes end
    "GFLHead": _Reading(_by_distribution, width=lambda head: 4 * (head.reg_max + 1), by_coder=True),
    "TOODHead": _Reading(_in_strides, _given),
    "RepPointsHead": _Reading(_from_point),
    "FoveaHead": _Reading(_by_exponents),
}


def _single(head: Any) -> str:
    return definers(head, ["_predict_by_feat_single"])["_predict_by_feat_single"]


def is_dense(model: nn.Module) -> bool:
    """Whether detections of a model are made as ``BaseDenseHead`` does."""
    head = getattr(model, "bbox_head", None)
    if not (is_a(model, "SingleStageDetector") and is_a(head, "BaseDenseHead")):
        return False
    return (
        definers(model, ["predict"])["predict"] == "SingleStageDetector"
        and set(definers(head, _SHARED).values()) == {"BaseDenseHead"}
        and _single(head) in _READINGS
    )


register_adapter(
    "dense heads (RetinaNet, FCOS, ATSS, GFL, RTMDet and their like)",
    is_dense,
    DenseDetector,
    pads=True,
)
