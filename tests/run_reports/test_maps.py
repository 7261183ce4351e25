"""Label maps beside predicted ones."""

import numpy as np
import pytest

from mmfastervit.run_reports.maps import MapTally, class_iou, compare


def pair(truth: list, predicted: list, path: str = "p.png"):
    return compare(path, np.array(truth, dtype=np.uint8), np.array(predicted), 3)


def test_pixels_are_counted_by_labelled_and_predicted_class():
    one = pair([[0, 0, 1, 255]], [[0, 1, 1, 2]])
    assert one.matrix.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert one.accuracy == pytest.approx(2 / 3)
    np.testing.assert_allclose(class_iou(one.matrix), [1 / 2, 1 / 2, np.nan])


def test_a_picture_is_measured_by_the_classes_that_its_labels_have():
    """A class that is only predicted takes pixels of the others, and counts no second time."""
    assert pair([[0, 0, 0, 0]], [[0, 0, 0, 2]]).iou == pytest.approx(3 / 4)


def test_the_matrix_is_that_of_all_pictures_and_the_worst_are_kept():
    tally = MapTally(3, keep=2)
    for wrong in (1, 3, 0, 2):
        tally.add(pair([[0] * 4], [[1] * wrong + [0] * (4 - wrong)], f"{wrong}.png"))
    assert [one.path for one in tally.worst()] == ["3.png", "2.png"]
    assert tally.matrix.tolist() == [[10, 6, 0], [0, 0, 0], [0, 0, 0]]
    assert tally.pictures == 4


def test_pictures_without_an_error_or_without_labels_are_not_among_the_worst():
    tally = MapTally(3, keep=5)
    tally.add(pair([[0, 1]], [[0, 1]]))
    tally.add(pair([[255, 255]], [[0, 1]]))
    assert list(tally.worst()) == []
    assert tally.unlabelled == 1


def test_maps_of_two_sizes_are_refused_with_what_to_do():
    with pytest.raises(ValueError, match="LoadAnnotations stands behind Resize"):
        pair([[0, 1]], [[0], [1]])


def test_the_metric_is_that_of_mmseg():
    """On random maps, beside its own IoUMetric."""
    torch = pytest.importorskip("torch")
    from mmseg.evaluation.metrics import IoUMetric

    draw = np.random.default_rng(0)
    truth = draw.integers(0, 3, (20, 30)).astype(np.uint8)
    truth[:3] = 255
    predicted = draw.integers(0, 3, (20, 30))
    areas = IoUMetric.intersect_and_union(torch.tensor(predicted), torch.tensor(truth), 3, 255)
    ours = class_iou(compare("p.png", truth, predicted, 3).matrix)
    np.testing.assert_allclose(ours, (areas[0] / areas[1]).numpy(), rtol=1e-6)
