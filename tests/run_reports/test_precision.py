"""Average precision is that of COCO's evaluation, and mending an error gains what it cost."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from support.drawn_errors import CAT, DOG, every_kind, picture

from mmfastervit.run_reports.matching import ERRORS, Kind
from mmfastervit.run_reports.precision import measure_gains

BOX, FAR = (0, 0, 10, 10), (50, 50, 60, 60)


def crowded(seed: int, classes: int = 3, most: int = 60) -> list:
    """Pictures of many objects and detections, some of them in ignored regions."""
    draw = np.random.default_rng(seed)
    pictures = []
    for _ in range(6):
        count = int(draw.integers(0, 9))
        corners = draw.uniform(0, 60, (count + 1, 2))
        truth = np.concatenate([corners, corners + draw.uniform(8, 40, (count + 1, 2))], axis=1)
        found = truth[draw.integers(0, count + 1, most)] + draw.normal(0, 4, (most, 4))
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        scores = draw.permutation(most) / most + draw.random() / most
        pictures.append(
            picture(
                [(box, draw.integers(classes)) for box in truth[:count]],
                [(box, draw.integers(classes), score)
                 for box, score in zip(found, scores, strict=True)],
                ignored=[(truth[count], draw.integers(classes))],
            )
        )  # fmt: skip
    return pictures


def coco_precision(pictures: list, classes: int) -> np.ndarray:
    """AP at an overlap of 0.5 of each class by pycocotools; NaN for one without objects."""

    def entry(box, label, **more) -> dict:
        x1, y1, x2, y2 = map(float, box)
        sides = [x1, y1, x2 - x1, y2 - y1]
        return dict(bbox=sides, area=sides[2] * sides[3], category_id=int(label) + 1, **more)

    truth, found = [], []
    for number, one in enumerate(pictures, start=1):
        for box, label, ignored in zip(one.truth, one.truth_labels, one.ignored, strict=True):
            more = dict(image_id=number, iscrowd=int(ignored), id=len(truth) + 1)
            truth.append(entry(box, label, **more))
        for box, label, score in zip(one.boxes, one.labels, one.scores, strict=True):
            found.append(entry(box, label, image_id=number, score=float(score)))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = dict(
            images=[dict(id=number + 1) for number in range(len(pictures))],
            annotations=truth,
            categories=[dict(id=label + 1, name=str(label)) for label in range(classes)],
        )
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(found), "bbox")
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][0, :, :, 0, -1]  # (101, classes), all sizes
    return np.where(precision[0] < 0, np.nan, precision.mean(axis=0))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("most", [60, 400])  # 400: more than 100 of a class on a picture
def test_average_precision_is_that_of_pycocotools(seed, most):
    pictures = crowded(seed, most=most)
    ours = measure_gains(pictures, 3).by_class
    np.testing.assert_allclose(ours, coco_precision(pictures, 3), atol=1e-12)


def test_each_kind_of_error_costs_what_mending_it_gains():
    """In the drawn picture one of two cats and none of three dogs is found."""
    gains = measure_gains([every_kind()], 2)
    # cats: 2 objects, the surest of 5 detections is right: 51 of 101 recalls, at full precision
    assert gains.by_class.tolist() == pytest.approx([51 / 101, 0])
    assert gains.mean == pytest.approx(51 / 202)
    # of 3 dogs one would be found by the surest detection: 34 of 101 recalls
    assert gains.gain(Kind.CLASS) == pytest.approx(34 / 202)
    # the second cat would be found by the fourth detection of its class: precision 2 / 4
    assert gains.gain(Kind.PLACE) == pytest.approx(50 / 101 * 0.5 / 2)
    # without two missed dogs one is left, which is not found
    assert gains.gain(Kind.MISSED) == 0
    for kind in (Kind.DOUBLE, Kind.BOTH, Kind.BACKGROUND):  # they stand behind what is right
        assert gains.gain(kind) == pytest.approx(0)


def test_a_double_costs_precision_where_it_is_surer_than_what_is_right():
    truth = [(BOX, CAT), (FAR, CAT)]
    found = [(BOX, CAT, 0.9), (BOX, CAT, 0.8), (FAR, CAT, 0.7)]
    gains = measure_gains([picture(truth, found)], 1)
    assert gains.mended[Kind.DOUBLE] == pytest.approx(1)
    assert gains.gain(Kind.DOUBLE) == pytest.approx(50 / 101 * (1 - 2 / 3))


def test_a_detection_of_the_background_costs_precision():
    gains = measure_gains([picture([(BOX, CAT)], [(FAR, CAT, 0.9), (BOX, CAT, 0.8)])], 1)
    assert gains.mean == pytest.approx(0.5)
    assert gains.mended[Kind.BACKGROUND] == pytest.approx(1)


def test_missed_objects_are_taken_out_of_the_count():
    gains = measure_gains([picture([(BOX, CAT), (FAR, CAT)], [(BOX, CAT, 0.9)])], 1)
    assert gains.mended[Kind.MISSED] == pytest.approx(1)
    assert gains.gain(Kind.MISSED) == pytest.approx(50 / 101)


def test_of_several_that_would_be_right_only_the_surest_is_mended():
    near = ((5, 0, 15, 10), CAT)
    found = [(*near, 0.9), (*near, 0.8)]
    gains = measure_gains([picture([(BOX, CAT)], found)], 1)
    assert gains.mended[Kind.PLACE] == pytest.approx(1)


def test_the_wrong_class_of_an_object_that_is_found_is_taken_out():
    """Nobody finds it twice: the detection goes from the class that it spoiled."""
    found = [(BOX, DOG, 0.95), (BOX, CAT, 0.9), (FAR, DOG, 0.5)]
    gains = measure_gains([picture([(BOX, CAT), (FAR, DOG)], found)], 2)
    assert gains.by_class.tolist() == pytest.approx([1, 0.5])
    assert gains.mended[Kind.CLASS] == pytest.approx(1)


def test_without_errors_nothing_is_gained():
    gains = measure_gains([picture([(BOX, CAT)], [(BOX, CAT, 0.9)])], 2)
    assert gains.mean == 1
    assert all(gains.gain(kind) == 0 for kind in ERRORS)
    assert np.isnan(gains.by_class[DOG])


def test_without_detections_or_objects_there_are_still_numbers():
    assert measure_gains([picture([(BOX, CAT)])], 1).mean == 0
    assert np.isnan(measure_gains([picture([], [(BOX, CAT, 0.9)])], 1).mean)
    assert np.isnan(measure_gains([], 1).mean)
