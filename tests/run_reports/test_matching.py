"""Each detection and each object is of exactly one kind, and the right one."""

import numpy as np
import pytest
from support.drawn_errors import CAT, DOG, FOUND, every_kind, picture

from mmfastervit.run_reports.matching import OF_DETECTIONS, OF_OBJECTS, Kind, sort_errors

BOX = (0, 0, 10, 10)
FAR = (50, 50, 60, 60)


def kinds(*arguments, **named) -> tuple[list[Kind], list[Kind]]:
    sorting = sort_errors(picture(*arguments, **named))
    return list(sorting.kinds), list(sorting.truth_kinds)


def random_picture(seed: int):
    """Objects and detections of three classes, crowded enough for every kind of error."""
    draw = np.random.default_rng(seed)
    corners = draw.uniform(0, 60, (12, 2))
    truth = np.concatenate([corners, corners + draw.uniform(10, 40, (12, 2))], axis=1)
    found = np.concatenate([truth, truth, truth]) + draw.normal(0, 6, (36, 4))
    return picture(
        [(box, draw.integers(3)) for box in truth[:10]],
        [(box, draw.integers(3), score) for box, score in zip(found, draw.random(36), strict=True)],
        ignored=[(box, draw.integers(3)) for box in truth[10:]],
    )


def test_an_error_of_each_kind_is_told():
    sorting = sort_errors(every_kind())
    assert [kind.value for kind in sorting.kinds] == list(FOUND)
    assert list(sorting.truth_kinds) == [
        Kind.FOUND,
        Kind.CLASS,
        Kind.PLACE,
        Kind.MISSED,
        Kind.MISSED,  # what is wrong in both ways stands for no object
    ]
    assert (sorting.right, sorting.wrong, sorting.not_found) == (1, 5, 4)
    assert sorting.f1 == pytest.approx(2 / 11)


@pytest.mark.parametrize("seed", range(5))
def test_every_detection_and_every_object_has_one_kind(seed):
    sorting = sort_errors(random_picture(seed))
    assert set(sorting.kinds) <= set(OF_DETECTIONS)
    assert set(sorting.truth_kinds) <= set(OF_OBJECTS)
    found = sorting.partners[sorting.kinds == Kind.FOUND]
    assert len(set(found)) == len(found) == (sorting.truth_kinds == Kind.FOUND).sum()
    assert (sorting.truth_kinds[sorting.picture.ignored] == Kind.IGNORED).all()
    assert ((sorting.partners < 0) == (sorting.kinds == Kind.BACKGROUND)).all()
    counted = len(sorting.kinds) - (sorting.kinds == Kind.IGNORED).sum()
    assert sorting.right + sorting.wrong == counted
    assert sorting.right + sorting.not_found == (~sorting.picture.ignored).sum()


def test_random_pictures_have_every_kind():
    """Or the test above would say less than it seems to."""
    seen = {kind for seed in range(5) for kind in sort_errors(random_picture(seed)).kinds}
    assert seen == set(OF_DETECTIONS)


def test_the_surest_detection_finds_the_object():
    found = [(BOX, CAT, 0.4), ((0, 0, 10, 9), CAT, 0.9)]
    assert kinds([(BOX, CAT)], found) == ([Kind.FOUND, Kind.DOUBLE], [Kind.FOUND])
    assert sort_errors(picture([(BOX, CAT)], found)).picture.scores.tolist() == [0.9, 0.4]


def test_a_second_object_in_the_same_place_is_found_by_the_second_detection():
    found = [(BOX, CAT, 0.9), (BOX, CAT, 0.8)]
    assert kinds([(BOX, CAT), (BOX, CAT)], found) == ([Kind.FOUND] * 2, [Kind.FOUND] * 2)


def test_an_overlap_of_exactly_a_half_is_in_place_and_of_a_tenth_is_near():
    assert kinds([(BOX, CAT)], [((0, 0, 10, 5), CAT, 0.9)])[0] == [Kind.FOUND]
    assert kinds([(BOX, CAT)], [((0, 0, 10, 4.9), CAT, 0.9)])[0] == [Kind.PLACE]
    assert kinds([(BOX, CAT)], [((0, 0, 10, 1), CAT, 0.9)])[0] == [Kind.PLACE]
    assert kinds([(BOX, CAT)], [((0, 0, 10, 0.9), CAT, 0.9)])[0] == [Kind.BACKGROUND]


def test_of_several_kinds_the_first_holds():
    """Near an object of its own class, and in the place of another's."""
    truth = [((0, 0, 10, 4), CAT), (BOX, DOG)]
    assert kinds(truth, [(BOX, CAT, 0.9)]) == ([Kind.CLASS], [Kind.MISSED, Kind.CLASS])


def test_an_object_that_is_found_is_found_whatever_else_is_said_of_it():
    found = [(BOX, DOG, 0.9), (BOX, CAT, 0.8)]
    assert kinds([(BOX, CAT)], found) == ([Kind.CLASS, Kind.FOUND], [Kind.FOUND])


def test_detections_in_an_ignored_region_of_their_class_count_not():
    """As much of them as lies in it decides: the region may be far larger."""
    region = [((0, 0, 1000, 1000), CAT)]
    assert kinds([], [(BOX, CAT, 0.9), (FAR, CAT, 0.8)], ignored=region) == (
        [Kind.IGNORED] * 2,
        [Kind.IGNORED],
    )
    assert kinds([], [(BOX, DOG, 0.9)], ignored=region)[0] == [Kind.BACKGROUND]
    assert kinds([(BOX, CAT)], [(BOX, CAT, 0.9)], ignored=region)[0] == [Kind.FOUND]


def test_an_empty_picture_is_without_an_error():
    sorting = sort_errors(picture())
    assert sorting.f1 == 1
    assert len(sorting.kinds) == len(sorting.truth_kinds) == 0


def test_pictures_without_objects_or_without_detections():
    assert kinds([], [(BOX, CAT, 0.9)]) == ([Kind.BACKGROUND], [])
    assert kinds([(BOX, CAT)], []) == ([], [Kind.MISSED])
