"""Names of classes are compared by what the library makes of their order."""

import pytest

from mmfastervit.inspection.class_names import ClassNames


@pytest.mark.parametrize(
    ("config", "data"),
    [
        (("a", "b"), ("a", "b")),
        (("a", "b"), ("a", "x", "b")),
        (("b",), ("a", "b", "c")),
    ],
)
def test_names_in_the_order_of_the_data_are_right(config, data):
    assert ClassNames(config, data).fault == ""


@pytest.mark.parametrize(
    ("config", "data", "fault"),
    [
        (("b", "a"), ("a", "b"), "another order"),
        (("a", "b"), ("a",), "lack 1 of the config's classes: 'b'"),
        (("Cats", "dog"), ("cats", "dog"), "'Cats', did you mean 'cats'?"),
        (("a",), ("b",), "none"),
        (("a",), ("a", "a"), "twice: a"),
    ],
)
def test_others_are_told(config, data, fault):
    assert fault in ClassNames(config, data).fault


def test_names_that_the_config_leaves_out_are_known():
    assert ClassNames(("a", "c"), ("a", "b", "c")).unused == ("b",)
