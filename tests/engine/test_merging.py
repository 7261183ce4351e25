"""Boxes and masks of several views of an image become one."""

import pytest
import torch
from mmdet.models.test_time_augs import DetTTAModel
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData, PixelData
from torch import nn

from mmfastervit.engine.merging import InstanceTTAModel

SIZE = (20, 30)  # height, width
AXES = dict(horizontal=(-1,), vertical=(-2,), diagonal=(-2, -1))
BOXES = [(2.0, 3.0, 10.0, 9.0), (12.0, 4.0, 20.0, 18.0), (3.0, 3.0, 11.0, 9.0)]


class Finder(nn.Module):
    """Stands for a detector: it finds what it is given."""

    def test_step(self, data):
        return data


def merging(kind=InstanceTTAModel, max_per_img=100):
    settings = dict(nms=dict(type="nms", iou_threshold=0.5), max_per_img=max_per_img)
    return kind(tta_cfg=ConfigDict(settings), module=Finder())


def found(boxes=BOXES, scores=(0.9, 0.8, 0.7), labels=(0, 1, 1), masks=True) -> InstanceData:
    boxes = torch.tensor(boxes).reshape(-1, 4)
    instances = InstanceData(
        bboxes=boxes, scores=torch.tensor(scores), labels=torch.tensor(labels, dtype=torch.long)
    )
    if masks:
        instances.masks = torch.zeros(len(boxes), *SIZE, dtype=torch.bool)
        for mask, (left, top, right, bottom) in zip(
            instances.masks, boxes.int().tolist(), strict=True
        ):
            mask[top:bottom, left:right] = True
            mask[top, left] = False  # so that a mask that was mirrored wrongly shows
    return instances


def view(instances: InstanceData, flip: str | None = None) -> DetDataSample:
    """What a detector without a preference finds of an image seen in a mirror."""
    seen = instances.clone()
    if flip:
        (height, width), (left, top, right, bottom) = SIZE, seen.bboxes.unbind(-1)
        if flip != "vertical":
            left, right = width - right, width - left
        if flip != "horizontal":
            top, bottom = height - bottom, height - top
        seen.bboxes = torch.stack([left, top, right, bottom], -1)
        if "masks" in seen:
            seen.masks = seen.masks.flip(AXES[flip])
    meta = dict(ori_shape=SIZE, flip=flip is not None, flip_direction=flip)
    sample = DetDataSample(metainfo=meta)
    sample.pred_instances = seen
    return sample


def merged(*views: DetDataSample, **options) -> InstanceData:
    (sample,) = merging(**options).merge_preds([list(views)])
    return sample.pred_instances


def assert_same(actual: InstanceData, expected: InstanceData) -> None:
    assert set(actual.keys()) == set(expected.keys())
    for name, value in expected.items():
        assert torch.equal(actual[name], value), name


@pytest.mark.parametrize("number", [1, 2, 4])
def test_equal_views_are_merged_to_one_of_them(number):
    assert_same(merged(*(view(found()) for _ in range(number))), found())


@pytest.mark.parametrize("flip", AXES)
def test_a_mirrored_view_comes_back(flip):
    assert_same(merged(view(found()), view(found(), flip)), found())
    assert_same(merged(view(found(), flip)), found())


def test_what_one_view_alone_finds_is_kept_with_its_mask():
    first, second = found(BOXES[:1], [0.5], [0]), found(BOXES[1:2], [0.6], [1])
    both = merged(view(first), view(second, "horizontal"))
    assert_same(both, found([BOXES[1], BOXES[0]], [0.6, 0.5], [1, 0]))


def test_a_better_view_gives_its_box_and_its_mask():
    """Here the mirrored one, whose box is a little larger."""
    wider = [(2.0, 3.0, 11.0, 9.0)]
    both = merged(view(found(BOXES[:1], [0.5], [0])), view(found(wider, [0.6], [0]), "horizontal"))
    assert_same(both, found(wider, [0.6], [0]))


def test_no_more_than_are_asked_for_are_kept():
    assert_same(merged(view(found()), max_per_img=2), found()[:2])


def test_nothing_found_in_one_view_or_in_all():
    nothing = found([], [], [])
    assert_same(merged(view(nothing), view(found(), "horizontal")), found())
    assert_same(merged(view(found(), "horizontal"), view(nothing)), found())
    empty = merged(view(nothing), view(nothing, "horizontal"))
    assert len(empty) == 0
    assert empty.masks.shape == (0, *SIZE)


def test_other_fields_stay_with_their_boxes():
    first = found()
    first.mask_scores = torch.tensor([1.0, 2.0, 3.0])
    assert merged(view(first), view(first)).mask_scores.tolist() == [1, 2, 3]


def test_boxes_alone_are_merged_as_mmdet_merges_them():
    torch.manual_seed(0)
    views = []
    for flip in (None, "horizontal"):
        corners = torch.rand(40, 2) * 10
        boxes = torch.cat([corners, corners + 1 + torch.rand(40, 2) * 9], -1)
        labels = torch.randint(0, 2, (40,))
        views.append(view(found(boxes.tolist(), torch.rand(40).tolist(), labels.tolist(), False)))
        views[-1].set_metainfo(dict(flip=flip is not None, flip_direction=flip))
    (theirs,) = merging(DetTTAModel, 30).merge_preds([[one.clone() for one in views]])
    assert_same(merged(*views, max_per_img=30), theirs.pred_instances)
    assert 3 < len(theirs.pred_instances) <= 30


def test_panoptic_segments_are_refused():
    sample = view(found())
    sample.pred_panoptic_seg = PixelData(sem_seg=torch.zeros(1, *SIZE))
    with pytest.raises(ValueError, match="panoptic segments of several views can't be merged"):
        merged(sample)
