"""Old levels find the FasterViT stage of their stride, or are refused."""

import pytest

from mmfastervit.swap import SwapRefusedError
from mmfastervit.swap.levels import Level, nominal_stride, stages_for


def levels(*strides: int, dilations: tuple[int, ...] = ()) -> list[Level]:
    dilations = dilations or (1,) * len(strides)
    return [
        Level(64 * (i + 1), stride, dilation)
        for i, (stride, dilation) in enumerate(zip(strides, dilations, strict=True))
    ]


@pytest.mark.parametrize(
    ("strides", "stages"),
    [
        ((4, 8, 16, 32), (0, 1, 2, 3)),
        ((8, 16, 32), (1, 2, 3)),
        ((16, 32), (2, 3)),
        ((16,), (2,)),
        ((32,), (3,)),
        ((4, 8, 8, 8), (0, 1, 2, 3)),
        ((4, 8, 16, 16), (0, 1, 2, 3)),
        ((0,), (3,)),  # a pooled vector
    ],
)
def test_stage_has_the_stride_and_dilated_maps_go_by_depth(strides, stages):
    assert stages_for(levels(*strides)) == stages


@pytest.mark.parametrize(
    ("strides", "dilations", "stages"),
    [
        ((8,), (4,), (3,)),
        ((8,), (2,), (2,)),
        ((8, 8), (2, 4), (2, 3)),
        ((4, 8), (1, 4), (0, 3)),
        ((8, 16), (1, 2), (1, 3)),
        ((16,), (2,), (2,)),  # DC5
    ],
)
def test_maps_of_a_network_that_says_its_dilations_go_by_depth(strides, dilations, stages):
    assert stages_for(levels(*strides, dilations=dilations)) == stages


@pytest.mark.parametrize(
    ("strides", "reason"),
    [
        ((16, 16, 16, 16), "no pyramid"),
        ((0, 0), "pooled"),
        ((4, 4, 8, 16, 32), "has 4 stages"),
        ((8, 16, 32, 64), "coarsest"),
        ((2, 4, 8, 16), "finest"),
        ((32, 16, 8), "do not increase"),
    ],
)
def test_strides_without_a_stage_are_refused_with_the_reason(strides, reason):
    with pytest.raises(SwapRefusedError, match=f"{reason}.*can: mmdet::near.py"):
        stages_for(levels(*strides), "mmdet::near.py")


@pytest.mark.parametrize(("image", "side", "stride"), [(512, 64, 8), (512, 63, 8), (300, 19, 16)])
def test_stride_is_the_power_of_two_nearest_to_the_ratio(image, side, stride):
    assert nominal_stride(image, side) == stride
