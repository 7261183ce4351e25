"""Feature levels: what a backbone gives out, and which FasterViT stage takes the place of which."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from mmfastervit.archs import NUM_STAGES
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


def stages_for(levels: Sequence[Level], nearest: str | None = None) -> tuple[int, ...]:
    """FasterViT stage for each of a backbone's levels.

    Strides are met exactly, but for those of a dilated network (4, 8, 8, 8): its maps are taken by
    depth, each from the stage of the stride that it would have without dilation. A pooled vector
    alone comes from the last stage.

    Args:
        levels: What the backbone gives out.
        nearest: A config that can be swapped, to name in a refusal.

    Raises:
        SwapRefusedError: FasterViT has no stage of such a stride, or the levels are no pyramid.
    """
    strides = [level.stride for level in levels]
    if strides == [0]:
        return (NUM_STAGES - 1,)
    depths = [level.stride * level.dilation for level in levels]
    if is_dilated(levels) and len(set(depths)) == len(depths):
        strides = depths
    reason = _why_no_pyramid(strides)
    if reason:
        raise SwapRefusedError(reason, nearest)
    if len(set(strides)) < len(strides):
        return tuple(range(NUM_STAGES - len(strides), NUM_STAGES))
    return tuple(STRIDES.index(stride) for stride in strides)


def _why_no_pyramid(strides: Sequence[int]) -> str | None:
    if 0 in strides:
        return f"its backbone gives out {len(strides)} vectors or maps, of which some are pooled"
    if len(set(strides)) == 1 and len(strides) > 1:
        return (
            f"all {len(strides)} maps of its backbone have stride {strides[0]}, and nothing in its "
            "config says that dilation is the reason: they are no pyramid"
        )
    if sorted(strides) != list(strides):
        return f"the strides of its backbone's maps, {strides}, do not increase"
    if len(strides) > NUM_STAGES:
        return f"its backbone gives out {len(strides)} maps, and FasterViT has {NUM_STAGES} stages"
    if strides[-1] > STRIDES[-1]:
        return (
            f"it reads a map of stride {strides[-1]} from its backbone, and FasterViT's coarsest "
            f"has stride {STRIDES[-1]}"
        )
    if strides[0] < STRIDES[0] and len(set(strides)) == len(strides):
        return (
            f"it reads a map of stride {strides[0]} from its backbone, and FasterViT's finest has "
            f"stride {STRIDES[0]}"
        )
    return None


def is_dilated(levels: Sequence[Level]) -> bool:
    """Whether a network dilates its last stages: it says so, or a stride occurs twice.

    One map of stride 16 is left out: detectors of the DC5 kind want that stride, not that depth.
    """
    strides = [level.stride for level in levels]
    if strides == [_DC5_STRIDE]:
        return False
    return len(set(strides)) < len(strides) or any(level.dilation > 1 for level in levels)
