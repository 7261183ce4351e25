"""Counts by class and size and confusion matrices add up to what there is."""

import numpy as np
import pytest
from support.drawn_errors import CAT, DOG, NAMES, every_kind, picture

from mmfastervit.run_reports.confusion import (
    detection_confusion,
    most_confused,
    tally_by_class,
    tally_by_size,
)
from mmfastervit.run_reports.matching import Kind, sort_errors

BOX, FAR = (0, 0, 10, 10), (50, 50, 60, 60)


def test_counts_by_class_add_up_and_stand_with_their_class():
    sorting = sort_errors(every_kind())
    tally = tally_by_class([sorting, sorting], NAMES)
    detections = np.sum([*tally.detections.values()], axis=0)
    assert detections.tolist() == [10, 2]
    assert np.sum([*tally.objects.values()], axis=0).tolist() == [4, 6]
    assert tally.detections[Kind.BACKGROUND].tolist() == [0, 2]
    assert tally.detections[Kind.CLASS].tolist() == [2, 0]  # called a cat
    assert tally.objects[Kind.CLASS].tolist() == [0, 2]  # and is a dog
    assert tally.objects[Kind.MISSED].tolist() == [0, 4]


def test_a_detection_has_the_size_of_its_object_or_else_of_its_box():
    sorting = sort_errors(
        picture(
            [((0, 0, 40, 40), CAT), ((100, 100, 110, 110), CAT)],
            [((0, 0, 40, 25), CAT, 0.9), ((300, 300, 400, 400), CAT, 0.8)],
        )
    )
    tally = tally_by_size([sorting])
    assert tally.rows == ("small", "medium", "large")
    assert tally.detections[Kind.FOUND].tolist() == [0, 1, 0]  # its box is small
    assert tally.detections[Kind.BACKGROUND].tolist() == [0, 0, 1]
    assert tally.objects[Kind.MISSED].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("side", "size"), [(31.9, 0), (32, 1), (95.9, 1), (96, 2)], ids=["s", "m", "m", "l"]
)
def test_sizes_begin_where_cocos_do(side, size):
    tally = tally_by_size([sort_errors(picture([((0, 0, side, side), CAT)]))])
    assert np.flatnonzero(tally.objects[Kind.MISSED]).tolist() == [size]


def test_the_drawn_picture_as_a_matrix():
    matrix = detection_confusion([sort_errors(every_kind())], 2)
    assert matrix.tolist() == [
        [1, 0, 1],  # a cat found, a cat only neared
        [1, 0, 2],  # a dog called a cat, two dogs not found
        [3, 1, 0],  # double, place and both; background
    ]


def test_rows_are_objects_and_columns_detections():
    sorting = sort_errors(every_kind())
    matrix = detection_confusion([sorting], 2)
    objects = np.bincount(sorting.picture.truth_labels)
    detections = np.bincount(sorting.picture.labels)
    assert matrix[:2].sum(axis=1).tolist() == objects.tolist()
    assert matrix[:, :2].sum(axis=0).tolist() == detections.tolist()


def test_an_object_is_counted_once_though_two_detections_lie_on_it():
    found = [(BOX, DOG, 0.9), (BOX, CAT, 0.8)]
    matrix = detection_confusion([sort_errors(picture([(BOX, CAT)], found))], 2)
    assert matrix.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_ignored_regions_and_what_lies_in_them_are_left_out():
    sorting = sort_errors(picture([], [(BOX, CAT, 0.9)], ignored=[((0, 0, 99, 99), CAT)]))
    assert not detection_confusion([sorting], 1).any()


def test_the_pairs_that_are_confused_most():
    matrix = np.array([[5, 3, 0, 2], [1, 9, 0, 0], [0, 0, 4, 0], [7, 0, 0, 0]])
    assert most_confused(matrix, 3) == [(0, 1, 3, 0.3), (1, 0, 1, 0.1)]
