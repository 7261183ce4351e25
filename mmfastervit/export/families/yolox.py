"""YOLOX: at every pixel of its maps a box, classes, and whether there is an object (2107.08430)."""

from typing import Any

import torch
from torch import Tensor, nn

from ..adapters import definers, is_a, register_adapter
from ..detections import NONE, Results, Suppression, detections, kept, taken
from .dense import by_prior

_HEAD = ("predict_by_feat", "_bbox_post_process", "_bbox_decode")
MOST = 1000  # of an image, where the config has no limit: mmdet's YOLOX knows none


class YoloxDetector(nn.Module):
    """Images to detections."""

    def __init__(self, detector: Any):
        super().__init__()
        self.detector = detector
        config = detector.bbox_head.test_cfg
        self.nms = Suppression.of({"max_per_img": MOST, **config}, "model.test_cfg")
        self.threshold = float(config.get("score_thr", 0))

    def forward(self, images: Tensor, size: tuple[int, int]) -> Results:
        """Images (B, C, H, W), of which ``size`` is not padding, to detections."""
        head = self.detector.bbox_head
        logits, deltas, objects = head(self.detector.extract_feat(images))
        priors = head.prior_generator.grid_priors(
            [one.shape[-2:] for one in logits],
            dtype=logits[0].dtype,
            device=logits[0].device,
            with_stride=True,
        )
        boxes = head._bbox_decode(torch.cat(priors), _rows(deltas, 4))
        best, labels = _rows(logits, head.cls_out_channels).sigmoid().max(-1)
        scores = best * _rows(objects, 1).sigmoid()[..., 0]
        scores = torch.where(scores >= self.threshold, scores, NONE)
        scores, places = kept(boxes, scores, labels, self.nms)
        return detections(taken(boxes, places), scores, taken(labels, places))


def _rows(maps: Any, width: int) -> Tensor:
    """Maps (B, width, H, W) of all levels as rows (B, K, width)."""
    return torch.cat([by_prior(one, width) for one in maps], 1)


def is_yolox(model: nn.Module) -> bool:
    """Whether detections of a model are made as mmdet's YOLOX does."""
    head = getattr(model, "bbox_head", None)
    if not (is_a(model, "SingleStageDetector") and is_a(head, "YOLOXHead")):
        return False
    detector = definers(model, ["predict"])["predict"]
    return (
        detector == "SingleStageDetector"
        and definers(head, ["predict"])["predict"] == "BaseDenseHead"
        and set(definers(head, _HEAD).values()) == {"YOLOXHead"}
    )


# its neck doubles maps and puts them beside those of the backbone, which fits for multiples of 32
register_adapter("YOLOX", is_yolox, YoloxDetector, is_dynamic=False)
