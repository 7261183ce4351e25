"""What is taken from a test while it runs."""

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, InstanceData, PixelData

from mmfastervit.run_reports.collecting import (
    BoxCollector,
    MapCollector,
    NothingToReport,
    class_names,
    labelled_boxes,
)


class Labelled:
    """A data set of two pictures, with and without objects."""

    @property
    def metainfo(self) -> dict:
        return dict(classes=("cat", "dog"))

    def __len__(self) -> int:
        return 2

    def get_data_info(self, number: int) -> dict:
        one = dict(bbox=[1, 2, 3, 4], bbox_label=1, ignore_flag=0)
        crowd = dict(bbox=[5, 6, 7, 8], bbox_label=0, ignore_flag=1)
        return dict(img_path=f"{number}.png", instances=[one, crowd] if number == 0 else [])


def found(path: str, **parts) -> BaseDataElement:
    sample = BaseDataElement(metainfo=dict(img_path=path))
    for name, part in parts.items():
        setattr(sample, name, part)
    return sample


def boxes(count: int = 2, numbers: int = 4) -> InstanceData:
    return InstanceData(
        bboxes=torch.zeros(count, numbers, dtype=torch.float16),
        labels=torch.arange(count),
        scores=torch.linspace(0.1, 0.2, count),
    )


def maps(*shape: int) -> PixelData:
    return PixelData(data=torch.ones(1, *shape, dtype=torch.uint8))


def test_labels_are_the_data_sets_own_and_predictions_are_sorted():
    collector = BoxCollector(Labelled())
    collector.after_test_iter(None, 0, None, [found("1.png", pred_instances=boxes(0))])
    collector.after_test_iter(None, 1, None, [found("0.png", pred_instances=boxes())])
    one, other = collector.pictures
    assert one.truth.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert one.truth_labels.tolist() == [1, 0]
    assert one.ignored.tolist() == [False, True]
    assert one.labels.tolist() == [1, 0]
    assert one.scores.tolist() == pytest.approx([0.2, 0.1])
    assert len(other.truth) == len(other.boxes) == 0


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (found("2.png", pred_instances=boxes()), "no labels of 2.png"),
        (found("0.png", pred_instances=boxes(numbers=5)), "boxes of 5 numbers"),
        (found("0.png"), "gives no pred_instances.bboxes"),
        (BaseDataElement(), "'img_path' is missing"),
    ],
)
def test_predictions_that_are_no_boxes_of_a_labelled_picture_are_refused(sample, message):
    with pytest.raises(NothingToReport, match=message):
        BoxCollector(Labelled()).after_test_iter(None, 0, None, [sample])


def test_pixels_are_counted():
    collector = MapCollector(2, keep=1)
    sample = found("0.png", gt_sem_seg=maps(2, 3), pred_sem_seg=maps(2, 3))
    collector.after_test_iter(None, 0, None, [sample])
    assert collector.tally.matrix.tolist() == [[0, 0], [0, 6]]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (dict(pred_sem_seg=maps(2, 3)), "have no label maps"),
        (dict(gt_sem_seg=maps(2, 3)), "gives no pred_sem_seg.data"),
        (dict(gt_sem_seg=maps(2, 3), pred_sem_seg=maps(3, 2)), "LoadAnnotations stands behind"),
    ],
)
def test_predictions_that_are_no_maps_of_labelled_pictures_are_refused(parts, message):
    with pytest.raises(NothingToReport, match=message):
        MapCollector(2, keep=1).after_test_iter(None, 0, None, [found("0.png", **parts)])


def test_a_data_set_must_name_its_classes_and_its_labels():
    assert class_names(Labelled()) == ("cat", "dog")
    with pytest.raises(NothingToReport, match="names no classes"):
        class_names(torch.utils.data.TensorDataset(torch.zeros(1)))
    with pytest.raises(NothingToReport, match="TensorDataset, which gives no labels"):
        labelled_boxes(torch.utils.data.TensorDataset(torch.zeros(1)))


def test_numbers_beyond_the_classes_are_no_labels():
    collector = MapCollector(2, keep=1)
    truth = PixelData(data=torch.tensor([[[0, 255, 7]]], dtype=torch.uint8))
    sample = found("0.png", gt_sem_seg=truth, pred_sem_seg=maps(1, 3))
    collector.after_test_iter(None, 0, None, [sample])
    assert np.array_equal(collector.tally.matrix, [[0, 1], [0, 0]])
