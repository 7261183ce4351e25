"""From scored boxes to detections, in tensors of fixed size: what mmdet does image by image.

Where mmdet filters, an entry that would go gets the score :data:`NONE`, and the tensor keeps its
size: so a batch goes through at once, and no size depends on a value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .adapters import Refused
from .operators import kept_by_nms

NONE = -1.0  # the score of what is no candidate; scores are from 0 to 1
_BELOW_ALL_SCORES = -0.5
_LEGACY = "LegacyDeltaXYWHBBoxCoder"  # a pixel's width is in its boxes, as in mmdet 1
_CODERS = ("DeltaXYWHBBoxCoder", "DistancePointBBoxCoder", "TBLRBBoxCoder", _LEGACY)
Results = dict[str, Tensor]


@dataclass(frozen=True)
class Suppression:
    """Non-maximum suppression, as a config says it.

    Args:
        iou_threshold: Boxes that overlap a better one by more are dropped.
        agnostic: Whether boxes of different labels drop each other.
        most: Detections of an image.
    """

    iou_threshold: float
    agnostic: bool
    most: int

    @classmethod
    def of(cls, config: Mapping[str, Any], where: str) -> "Suppression":
        """Read ``nms`` and ``max_per_img`` of a ``test_cfg``.

        Args:
            config: The ``test_cfg``.
            where: What to call it.

        Raises:
            Refused: An option that is not followed.
        """
        nms = dict(config.get("nms") or {})
        kind = nms.pop("type", "nms")
        kind = kind if isinstance(kind, str) else kind.__name__
        if kind != "nms" or not config.get("nms"):
            raise Refused(
                f"{where}.nms is {config.get('nms')}: type='nms' can be exported; take it with "
                f"--cfg-options {where}.nms.type=nms"
            )
        threshold = nms.pop("iou_threshold", nms.pop("iou_thr", None))
        agnostic = bool(nms.pop("class_agnostic", False))
        limit = nms.pop("max_num", -1)
        nms.pop("split_thr", None)  # how the work is divided, which changes nothing
        others = {key: value for key, value in nms.items() if value}
        if others or threshold is None:
            raise Refused(
                f"{where}.nms is {dict(config['nms'])}: iou_threshold, which it must have, "
                "class_agnostic, max_num and split_thr can be exported"
            )
        most = positive(config, "max_per_img", where)
        return cls(float(threshold), agnostic, min(most, limit) if limit > 0 else most)


def positive(config: Mapping[str, Any], name: str, where: str) -> int:
    """A number of a config that must be there and positive, as sizes in a file are fixed.

    Raises:
        Refused: It is not.
    """
    value = config.get(name)
    if not isinstance(value, int) or value < 1:
        raise Refused(
            f"{where}.{name} is {value}: an exported file needs a limit, as sizes in it are fixed; "
            f"--cfg-options {where}.{name}=1000"
        )
    return value


def check_coder(coder: Any, where: str) -> None:
    """Raise Refused unless boxes of this coder are decoded as is known here."""
    if type(coder).__name__ not in _CODERS:
        raise Refused(f"{where} is a {type(coder).__name__}; {', '.join(_CODERS)} can be exported")


def activated(loss: Any, logits: Tensor) -> Tensor:
    """Scores of logits (..., K), by a loss with an activation of its own, which takes rows."""
    return loss.get_activation(logits.flatten(0, -2)).reshape(*logits.shape[:-1], -1)


def decoded(coder: Any, priors: Tensor, deltas: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (..., 4) of priors and what a head says of each, inside the image where the coder does.

    Args:
        coder: The head's.
        priors: (..., 2) or (..., 4).
        deltas: (..., 4).
        size: Height and width of the images before padding.
    """
    flat = coder.decode(priors.reshape(-1, priors.shape[-1]), deltas.reshape(-1, 4))
    boxes = getattr(flat, "tensor", flat).reshape(deltas.shape)
    if type(coder).__name__ == _LEGACY:
        return clipped(boxes, (size[0] - 1, size[1] - 1))
    return clipped(boxes, size) if coder.clip_border is not False else boxes


def clipped(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (..., 4) inside an image of this height and width."""
    height, width = size
    limits = torch.ones_like(boxes[..., :2]) * torch.stack(
        [torch.full((), width, dtype=boxes.dtype), torch.full((), height, dtype=boxes.dtype)]
    )
    return torch.minimum(boxes.clamp(min=0), torch.cat([limits, limits], -1))


def best(scores: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The highest of scores (B, K), and where they are, both (B, most).

    Where there are fewer than ``most``, the rest has the score :data:`NONE` and some place.
    """
    filling = scores.new_full((scores.shape[0], most), NONE)
    values, places = torch.cat([filling, scores], 1).topk(most, 1)
    return values, (places - most).clamp(min=0)


def taken(values: Tensor, places: Tensor) -> Tensor:
    """Of values (B, K) or (B, K, C), those at places (B, N)."""
    if values.ndim == 2:
        return values.gather(1, places)
    return values.gather(1, places[..., None].expand(-1, -1, values.shape[2]))


def large_enough(boxes: Tensor, scores: Tensor, least: float) -> Tensor:
    """Scores (B, K) where both sides of a box are more than ``least``, if that is not negative."""
    if least < 0:
        return scores
    sides = boxes[..., 2:] - boxes[..., :2]
    return torch.where((sides > least).all(-1), scores, NONE)


def apart(boxes: Tensor, groups: Tensor, scores: Tensor) -> Tensor:
    """Boxes (B, K, 4) moved so that those of different groups (B, K) do not overlap.

    By how much is what mmcv takes, so that rounding is the same.
    """
    there = (scores > _BELOW_ALL_SCORES)[..., None]
    largest = torch.where(there, boxes, 0.0).amax((1, 2))[:, None]
    return boxes + (groups.to(boxes) * (largest + 1))[..., None]


def kept(boxes: Tensor, scores: Tensor, groups: Tensor, nms: Suppression) -> tuple[Tensor, Tensor]:
    """Scores and places, both (B, N), of what suppression leaves, best first."""
    moved = boxes if nms.agnostic else apart(boxes, groups, scores)
    stays = kept_by_nms(moved, scores, nms.iou_threshold, _BELOW_ALL_SCORES, nms.most)
    return best(torch.where(stays, scores, NONE), nms.most)


def detections(boxes: Tensor, scores: Tensor, labels: Tensor) -> Results:
    """Results of an image batch: what is no detection becomes zeros with the label -1.

    Args:
        boxes: (B, N, 4).
        scores: (B, N), best first.
        labels: (B, N).
    """
    there = scores > _BELOW_ALL_SCORES
    return dict(
        boxes=torch.where(there[..., None], boxes, 0.0),
        scores=torch.where(there, scores, 0.0),
        labels=torch.where(there, labels, -1),
        count=there.sum(1),
    )
