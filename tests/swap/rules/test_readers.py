"""Readers of the backbone's maps follow it, and what can't be explained is an error."""

import pytest

from mmfastervit.swap.levels import Level
from mmfastervit.swap.rules.readers import rewrite_decode_head, rewrite_neck
from mmfastervit.swap.zoo import plan_readings, used_levels

OLD = tuple(Level(256 * 2**i, 4 * 2**i) for i in range(4))
NEW = tuple(Level(64 * 2**i, 4 * 2**i) for i in range(4))
DILATED = (*OLD[:2], Level(1024, 8), Level(2048, 8))
PATH = ("model", "neck")


def values(changes) -> dict:
    return {change.path[-1]: change.now for change in changes}


def rewrite(part: dict, place: tuple, old, new, kept) -> dict:
    """New values of the head at ``place`` of a model."""
    head = part
    for key in place:
        head = head[key]
    reading = plan_readings(part, (), old)[place]
    return values(rewrite_decode_head(head, place, old, new, kept, reading))


def test_neck_that_starts_at_a_level_gets_only_the_levels_that_it_reads():
    neck = dict(type="FPN", in_channels=[256, 512, 1024, 2048], start_level=1, num_outs=5)
    used = used_levels(dict(neck=neck), OLD)
    assert used == (1, 2, 3)
    changes = rewrite_neck(neck, PATH, OLD, NEW[1:], used)
    assert values(changes) == dict(in_channels=[128, 256, 512], start_level=0)


def test_neck_that_ends_early_ends_at_the_same_level():
    neck = dict(type="FPN", in_channels=[256, 512, 1024, 2048], start_level=1, end_level=2)
    used = used_levels(dict(neck=neck), OLD)
    changes = rewrite_neck(neck, PATH, OLD, NEW[1:3], used)
    assert values(changes) == dict(in_channels=[128, 256], start_level=0, end_level=1)


def test_reversed_channels_stay_reversed():
    neck = dict(type="YOLOV3Neck", in_channels=[2048, 1024, 512])
    changes = rewrite_neck(neck, PATH, OLD[1:], NEW[1:], (0, 1, 2))
    assert values(changes) == dict(in_channels=[512, 256, 128])


def test_neck_of_the_last_map_gets_its_channels_as_a_number():
    neck = dict(type="CTResNetNeck", in_channels=2048)
    assert used_levels(dict(neck=neck), OLD) == (3,)
    assert values(rewrite_neck(neck, PATH, OLD, NEW[3:], (3,))) == dict(in_channels=512)


@pytest.mark.parametrize("channels", [[256, 512, 1024, 1000], [256, 1024, 512, 2048], 256])
def test_channels_that_are_not_the_backbones_are_an_error(channels):
    neck = dict(type="FPN", in_channels=channels)
    with pytest.raises(ValueError, match="does not fit its own backbone"):
        rewrite_neck(neck, PATH, OLD, NEW, (0, 1, 2, 3))


def test_decode_head_finds_its_map_among_those_kept():
    head = dict(type="FCNHead", in_channels=1024, in_index=2)
    part = dict(decode_head=dict(type="PSPHead", in_channels=2048, in_index=3), auxiliary_head=head)
    assert used_levels(part, OLD) == (2, 3)
    changes = rewrite(part, ("auxiliary_head",), OLD, NEW[2:], (2, 3))
    assert changes == dict(in_channels=256, in_index=0)


@pytest.mark.parametrize(("index", "changed"), [(-2, {}), (2, dict(in_index=0)), (-1, None)])
def test_an_index_that_still_means_the_same_map_stays(index, changed):
    head = dict(type="FCNHead", in_channels=2048 if index == -1 else 1024, in_index=index)
    part = dict(decode_head=dict(type="PSPHead", in_channels=2048, in_index=3), auxiliary_head=head)
    found = rewrite(part, ("auxiliary_head",), OLD, NEW[2:], (2, 3))
    expected = dict(in_channels=512) if changed is None else dict(in_channels=256, **changed)
    assert found == expected


def test_low_level_map_of_deeplab_is_kept_and_dilation_keeps_its_reach():
    head = dict(
        type="DepthwiseSeparableASPPHead",
        in_channels=2048,
        in_index=3,
        c1_in_channels=256,
        dilations=(1, 12, 24, 36),
    )
    assert used_levels(dict(decode_head=head), DILATED) == (0, 3)
    part = dict(decode_head=head)
    assert rewrite(part, ("decode_head",), DILATED, (NEW[0], NEW[3]), (0, 3)) == dict(
        in_channels=512, in_index=1, c1_in_channels=64, dilations=(1, 3, 6, 9)
    )


def test_decode_head_that_joins_all_maps_keeps_its_indices():
    head = dict(type="UPerHead", in_channels=[256, 512, 1024, 2048], in_index=[0, 1, 2, 3])
    changes = rewrite(dict(decode_head=head), ("decode_head",), OLD, NEW, (0, 1, 2, 3))
    assert changes == dict(in_channels=[64, 128, 256, 512])


def test_maps_that_a_head_lists_and_does_not_read_are_dropped():
    """A norm without a gradient would stop distributed training."""
    head = dict(type="EncHead", in_channels=[512, 1024, 2048], in_index=(1, 2, 3))
    part = dict(decode_head=head)
    assert used_levels(part, DILATED) == (3,)
    changes = rewrite(part, ("decode_head",), DILATED, NEW[3:], (3,))
    assert changes == dict(in_channels=[512], in_index=(0,))
    head["add_lateral"] = True
    assert used_levels(part, DILATED) == (1, 2, 3)


def test_heads_that_multiply_their_maps_read_one_of_one_size():
    fcn = dict(type="FCNHead", in_channels=1024, in_index=2)
    part = dict(decode_head=[fcn, dict(type="OCRHead", in_channels=2048, in_index=3)])
    assert used_levels(part, OLD) == (2, 3)
    assert used_levels(part, DILATED) == (3,)
    for place in (("decode_head", 0), ("decode_head", 1)):
        changes = rewrite(part, place, DILATED, NEW[3:], (3,))
        assert changes == dict(in_channels=512, in_index=0)
