"""Feature levels: what a backbone gives out, and which FasterViT stage takes the place of which."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mmfastervit.models.backbones.archs import NUM_STAGES
from mmfastervit.models.backbones.fastervit import STRIDES

from .errors import SwapRefusedError


@dataclass(frozen=True)
class Level:
    """One feature map.

    Args:
        channels: Its channels.
        stride: Image pixels that one of its pixels stands for; 0 for a pooled vector.
    """

    channels: int
    stride: int

    def __str__(self) -> str:
        return f"{self.channels} channels at stride {self.stride}" if self.stride else "a vector"


def nominal_stride(image: int, side: int) -> int:
    """Stride of a map ``side`` pixels wide: the power of two nearest to the ratio."""
    return 2 ** max(round(math.log2(image / side)), 0)


def stages_for(levels: Sequence[Level]) -> tuple[int, ...]:
    """FasterViT stage for each of a backbone's levels.

    Increasing strides are met exactly. A stride that occurs twice is the mark of a dilated network
    (strides 4, 8, 8, 8): its maps are taken by depth, the last one from the last stage.

    Raises:
        SwapRefusedError: FasterViT has no stage of such a stride, or the levels are no pyramid.
    """
    strides = [level.stride for level in levels]
    if len(set(strides)) == 1 and len(strides) > 1:
        raise SwapRefusedError(
            f"all {len(strides)} maps of its backbone have stride {strides[0]}: it is not "
            "hierarchical, and its head makes the pyramid itself",
            "a UPerNet of mmseg::swin or mmseg::convnext",
        )
    if sorted(strides) != strides:
        raise SwapRefusedError(f"the strides of its backbone's maps, {strides}, do not increase")
    if strides[-1] > STRIDES[-1]:
        raise SwapRefusedError(
            f"it reads a map of stride {strides[-1]} from its backbone, and FasterViT's coarsest "
            f"has stride {STRIDES[-1]}",
            "the same method without p6, such as mmdet::rtmdet/rtmdet_x_8xb32-300e_coco.py",
        )
    if is_dilated(levels):
        return tuple(range(NUM_STAGES - len(strides), NUM_STAGES))
    if strides[0] < STRIDES[0]:
        raise SwapRefusedError(
            f"it reads a map of stride {strides[0]} from its backbone, and FasterViT's finest has "
            f"stride {STRIDES[0]}"
        )
    return tuple(STRIDES.index(stride) for stride in strides)


def is_dilated(levels: Sequence[Level]) -> bool:
    """Whether a stride occurs twice, as in a network that dilates its last stages."""
    strides = [level.stride for level in levels]
    return len(set(strides)) < len(strides)


def match_order(wanted: Sequence[int], levels: Sequence[Level]) -> tuple[int, ...] | None:
    """Say which level each entry of an ``in_channels`` list means: as they come, or reversed.

    Returns:
        Positions in ``levels``; None when the channels fit neither way.
    """
    channels = [level.channels for level in levels]
    forward = tuple(range(len(levels)))
    for order in (forward, forward[::-1]):
        if [channels[i] for i in order] == list(wanted):
            return order
    return None
