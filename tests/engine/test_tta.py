"""Views of several sizes follow from a test pipeline."""

from copy import deepcopy

import pytest

from mmfastervit.engine.tta import multi_scale_pipeline

TESTS = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(320, 240), keep_ratio=True),
    dict(type="Sharpen"),
    dict(type="LoadAnnotations"),
    dict(type="PackDetInputs", meta_keys=("img_id",)),
]


def test_each_size_is_a_multiple_of_the_tests_and_mirrored_and_all_else_is_as_there():
    before = deepcopy(TESTS)
    load, views = multi_scale_pipeline(TESTS, ratios=(0.5, 1.0))
    assert before == TESTS
    assert load == TESTS[0]
    sizes, sharpen, flips, annotations, pack = views["transforms"]
    assert sizes == [
        dict(type="Resize", scale=(160, 120), keep_ratio=True),
        dict(type="Resize", scale=(320, 240), keep_ratio=True),
    ]
    assert sharpen == [TESTS[2]]
    assert [flip["prob"] for flip in flips] == [0.0, 1.0]
    assert annotations == [TESTS[3]]
    assert pack[0]["meta_keys"] == ("img_id", "flip", "flip_direction")


@pytest.mark.parametrize("resize", [dict(type="Resize", scale_factor=1.0), dict(type="Crop")])
def test_a_pipeline_of_no_size_has_no_multiples(resize):
    with pytest.raises(ValueError, match="need a test pipeline with a Resize to scale="):
        multi_scale_pipeline([TESTS[0], resize, *TESTS[3:]])
