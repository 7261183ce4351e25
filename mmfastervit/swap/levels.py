"""Feature levels: what a backbone gives out, and which FasterViT stage takes the place of which."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from mmfastervit.models.backbones.archs import NUM_STAGES
from mmfastervit.models.backbones.fastervit import STRIDES

from .errors import SwapRefusedError

_DC5_STRIDE = 16


@dataclass(frozen=True)
class Level:
    """One feature map.

    Args:
        channels: Its channels.
        stride: Image pixels that one of its pixels stands for; 0 for a pooled vector.
        dilation: How many times coarser it would be if its network were not dilated.
    """

    channels: int
    stride: int
    dilation: int = field(default=1, compare=False)

    def __str__(self) -> str:
        return f"{self.channels} channels at stride {self.stride}" if self.stride else "a vector"


def nominal_stride(image: int, side: int) -> int:
    """Stride of a map ``side`` pixels wide: the power of two nearest to the ratio."""
    return 2 ** max(round(math.log2(image / side)), 0)


def stages_for(levels: Sequence[Level]) -> tuple[int, ...]:
    """FasterViT stage for each of a backbone's levels.

    Strides are met exactly, but for those of a dilated network (4, 8, 8, 8): its maps are taken by
    depth, each from the stage of the stride that it would have without dilation.

    Raises:
        SwapRefusedError: FasterViT has no stage of such a stride, or the levels are no pyramid.
    """
    strides = [level.stride for level in levels]
    if is_dilated(levels):
        depths = [level.stride * level.dilation for level in levels]
        if len(set(depths)) == len(depths):
            return _stages_of(depths)
        if len(set(strides)) > 1 and sorted(strides) == strides and len(strides) <= NUM_STAGES:
            return tuple(range(NUM_STAGES - len(strides), NUM_STAGES))
        raise SwapRefusedError(
            f"all {len(strides)} maps of its backbone have stride {strides[0]}: it is not "
            "hierarchical, and its head makes the pyramid itself",
            "a UPerNet of mmseg::swin or mmseg::convnext",
        )
    return _stages_of(strides)


def _stages_of(strides: Sequence[int]) -> tuple[int, ...]:
    if sorted(strides) != list(strides):
        raise SwapRefusedError(f"the strides of its backbone's maps, {strides}, do not increase")
    if strides[-1] > STRIDES[-1]:
        raise SwapRefusedError(
            f"it reads a map of stride {strides[-1]} from its backbone, and FasterViT's coarsest "
            f"has stride {STRIDES[-1]}",
            "the same method without p6, such as mmdet::rtmdet/rtmdet_x_8xb32-300e_coco.py",
        )
    if strides[0] < STRIDES[0]:
        raise SwapRefusedError(
            f"it reads a map of stride {strides[0]} from its backbone, and FasterViT's finest has "
            f"stride {STRIDES[0]}"
        )
    return tuple(STRIDES.index(stride) for stride in strides)


def is_dilated(levels: Sequence[Level]) -> bool:
    """Whether a network dilates its last stages: it says so, or a stride occurs twice.

    One map of stride 16 is left out: detectors of the DC5 kind want that stride, not that depth.
    """
    strides = [level.stride for level in levels]
    if strides == [_DC5_STRIDE]:
        return False
    return len(set(strides)) < len(strides) or any(level.dilation > 1 for level in levels)


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
