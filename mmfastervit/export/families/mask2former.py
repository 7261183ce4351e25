"""Mask2Former: objects with masks, segments, or the class of every pixel.

Its decoder of pixels attends to maps as Deformable DETR does, and asks for their sizes in the same
way; what is done about that is the same too, see :mod:`.queries`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..adapters import Refused, definers, is_a, register_adapter
from ..detections import NONE, Results, detections, taken
from .queries import Sizes
from .segmentors import Segmentor

_TINY = 1e-6
_HALF = 0.5
_OFFSET = 1000  # INSTANCE_OFFSET of mmdet


class PixelDecoder(nn.Module):
    """``MSDeformAttnPixelDecoder`` of mmdet, with sizes of maps that stay numbers.

    It has the layers of the decoder that is given, and none of its own.
    """

    def __init__(self, decoder: Any):
        super().__init__()
        self.decoder = decoder

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Maps (B, C, h, w), finest first, to features of masks and the coarse maps, coarse first.

        Mask2Former, section 3.2.
        """
        decoder = self.decoder
        batch, levels = maps[0].shape[0], decoder.num_encoder_levels
        coarse = [(decoder.num_input_levels - i - 1, i) for i in range(levels)]
        sizes = Sizes([maps[level].shape[-2:] for level, _ in coarse])
        features, places, points = [], [], []
        for (level, order), (height, width) in zip(coarse, sizes, strict=True):
            features.append(decoder.input_convs[order](maps[level]).flatten(2).transpose(1, 2))
            unmasked = maps[level].new_zeros(batch, height, width, dtype=torch.bool)
            place = decoder.postional_encoding(unmasked)
            place = place + decoder.level_encoding.weight[order].view(1, -1, 1, 1)
            places.append(place.flatten(2).transpose(1, 2))
            grid = decoder.point_generator.single_level_grid_priors(
                (height, width), level, device=maps[level].device
            )
            points.append(grid / (torch.tensor([width, height]) * decoder.strides[level]))
        query = torch.cat(features, 1)
        reference = torch.cat(points)[None, :, None].repeat(batch, 1, levels, 1)
        memory = decoder.encoder(
            query=query,
            query_pos=torch.cat(places, 1),
            key_padding_mask=torch.zeros(query.shape[:2], dtype=torch.bool),
            spatial_shapes=sizes,
            reference_points=reference,
            level_start_index=None,  # of the kernel on a GPU
            valid_ratios=query.new_ones(batch, levels, 2),
        ).transpose(1, 2)
        parts = memory.split([height * width for height, width in sizes], -1)
        outs = [part.unflatten(2, size) for part, size in zip(parts, sizes, strict=True)]
        for i in range(decoder.num_input_levels - levels - 1, -1, -1):
            lateral = decoder.lateral_convs[i](maps[i])
            above = F.interpolate(outs[-1], lateral.shape[-2:], mode="bilinear")
            outs.append(decoder.output_convs[i](lateral + above))
        return decoder.mask_feature(outs[-1]), outs[: decoder.num_outs]


@contextmanager
def numbers_in(head: nn.Module) -> Iterator[None]:
    """Let a head take :class:`PixelDecoder` for its own, while it is traced."""
    own: Any = head.pixel_decoder
    head.pixel_decoder = PixelDecoder(own)
    try:
        yield
    finally:
        head.pixel_decoder = own


class Mask2FormerDetector(nn.Module):
    """Images to what Mask2Former of mmdet is set to find: objects, or the segment of every pixel.

    Objects are detections whose boxes are those around the masks, and whose masks are (B, N, H, W),
    bool: they are no masks of a box, and need no pasting. Segments are (B, H, W), int32: class +
    1000 * number for a thing, numbered from 1 on, the class for stuff, the number of classes where
    there is nothing.
    """

    def __init__(self, detector: Any):
        super().__init__()
        self.detector = detector
        config = detector.panoptic_fusion_head.test_cfg
        self.gives_segments = bool(config.get("panoptic_on", True))
        self.gives_objects = bool(config.get("instance_on", False))
        self.most = int(config.get("max_per_image", 100))
        self.threshold = float(config.get("object_mask_thr", 0.8))
        self.share = float(config.get("iou_thr", 0.8))
        self.filters = bool(config.get("filter_low_score", False))
        if not (self.gives_segments or self.gives_objects):
            raise Refused(
                "model.test_cfg says neither panoptic_on nor instance_on: nothing is found"
            )

    def forward(self, images: Tensor, size: tuple[int, int]) -> Results:
        """Images (B, C, H, W), of which ``size`` is not padding, to results."""
        head = self.detector.panoptic_head
        with numbers_in(head):
            logits, masks = head(self.detector.extract_feat(images), None)
        results = self._objects(logits[-1], masks[-1], images, size) if self.gives_objects else {}
        if self.gives_segments:
            full = enlarged(masks[-1], images, size)
            results["segments"] = self._segments(logits[-1].softmax(-1), full.sigmoid())
        return results

    def _objects(
        self, logits: Tensor, masks: Tensor, images: Tensor, size: tuple[int, int]
    ) -> Results:
        """Detections of logits (B, Q, classes + 1) and masks (B, Q, h, w)."""
        fusion = self.detector.panoptic_fusion_head
        scores = logits.softmax(-1)[..., :-1]
        scores, places = scores.flatten(1).topk(self.most, 1)
        labels, which = places % fusion.num_classes, places // fusion.num_classes
        chosen = taken(masks.flatten(2), which).unflatten(2, masks.shape[-2:])
        full = enlarged(chosen, images, size)
        inside = full > 0
        area = inside.flatten(2).sum(2)
        sure = (full.sigmoid() * inside.to(full)).flatten(2).sum(2) / (area + _TINY)
        scores = torch.where(labels < fusion.num_things_classes, scores * sure, NONE)
        scores, order = scores.topk(self.most, 1)
        inside = inside.gather(1, order[..., None, None].expand(-1, -1, *size))
        results = detections(boxes_around(inside), scores, taken(labels, order))
        results["masks"] = inside & (results["labels"] >= 0)[..., None, None]
        return results

    def _segments(self, scores: Tensor, masks: Tensor) -> Tensor:
        """The segment of every pixel, of scores (B, Q, classes + 1) and masks (B, Q, H, W).

        A pixel goes to the query that is surest of it, so that queries do not overlap, and all that
        goes from one to the next is how many things there have been.
        """
        fusion = self.detector.panoptic_fusion_head
        score, label = scores.max(-1)  # (B, Q)
        candidate = (label != fusion.num_classes) & (score > self.threshold)
        shares = torch.where(candidate[..., None, None], score[..., None, None] * masks, NONE)
        owner = shares.argmax(1)  # (B, H, W)
        numbers = torch.arange(masks.shape[1])[:, None, None]
        area = (owner[:, None] == numbers).flatten(2).sum(2)
        whole = (masks >= _HALF).flatten(2).sum(2)
        stays = candidate & (area > 0) & (whole > 0) & (area / whole.clamp(min=1) >= self.share)
        thing = stays & (label < fusion.num_things_classes)
        number = thing.long().cumsum(1) * thing.long()
        segment = torch.where(stays, label + number * _OFFSET, fusion.num_classes)  # (B, Q)
        found = segment.gather(1, owner.flatten(1)).unflatten(1, owner.shape[1:])
        if self.filters:
            shown = masks.gather(1, owner[:, None])[:, 0] >= _HALF
            found = torch.where(shown, found, fusion.num_classes)
        return found.to(torch.int32)


def enlarged(masks: Tensor, images: Tensor, size: tuple[int, int]) -> Tensor:
    """Masks (B, Q, h, w) at the size of the images, without what is padding: (B, Q, *size)."""
    full = F.interpolate(masks, tuple(images.shape[2:]), mode="bilinear")
    return full[..., : size[0], : size[1]]


def boxes_around(masks: Tensor) -> Tensor:
    """Boxes (B, N, 4) around masks (B, N, H, W); zeros around an empty one."""
    sides = []
    for axis in (2, 3):  # columns, then rows
        shown = masks.any(axis)
        place = torch.arange(shown.shape[2]).to(torch.float32)
        sides.append(torch.where(shown, place, torch.inf).amin(2))
        sides.append(torch.where(shown, place + 1, 0.0).amax(2))
    left, right, top, bottom = sides
    boxes = torch.stack([left, top, right, bottom], -1)
    return torch.where(masks.flatten(2).any(2)[..., None], boxes, 0.0)


class Mask2FormerSegmentor(Segmentor):
    """Images to the class of every pixel."""

    def forward(self, images: Tensor, size: tuple[int, int]) -> Results:
        """Images (B, C, H, W), of which ``size`` is not padding, to maps (B, *size)."""
        with numbers_in(self.segmentor.decode_head):
            return super().forward(images, size)


def is_mask2former(model: nn.Module) -> bool:
    """Whether a model is mmdet's Mask2Former."""
    head = getattr(model, "panoptic_head", None)
    return (
        type(model).__name__ == "Mask2Former"
        and definers(head, ["forward"])["forward"] == "Mask2FormerHead"
        and _has_decoder(head)
    )


def is_mask2former_segmentor(model: nn.Module) -> bool:
    """Whether a model is mmseg's."""
    head = getattr(model, "decode_head", None)
    made = definers(model, ["predict"])["predict"]
    return is_a(head, "Mask2FormerHead") and made == "EncoderDecoder" and _has_decoder(head)


def _has_decoder(head: Any) -> bool:
    return type(head.pixel_decoder).__name__ == "MSDeformAttnPixelDecoder"


register_adapter(
    "Mask2Former (objects, panoptic)",
    is_mask2former,
    Mask2FormerDetector,
    is_dynamic=False,
    pads=True,
)
register_adapter(
    "Mask2Former (semantic)",
    is_mask2former_segmentor,
    Mask2FormerSegmentor,
    is_dynamic=False,
    pads=True,
)
