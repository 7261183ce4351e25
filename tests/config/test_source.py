"""Values as the source that a person would write."""

import pytest

from mmfastervit.config.source import WIDTH, Name, flat, render, subscript

VALUES = [
    None,
    True,
    1e-4,
    "text",
    'with "quotes"',
    "back\\slash\n",
    (1,),
    [],
    dict(a=1, b=[dict(c="x")]),
    {"not a name": 1, 3: (2, 4)},
    {"class": 1},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_written_means_the_value(value):
    assert eval(flat(value)) == value
    assert eval(render(dict(long=[value] * 9), 0)) == dict(long=[value] * 9)


def test_what_is_too_long_for_a_line_is_cut_into_lines_that_are_not():
    text = render(dict(key=["word" * 5] * 12, other=dict(a="b" * 40, c="d" * 50)), 8)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert text.startswith("dict(\n    key=[\n        ")


def test_a_variable_stands_without_quotes():
    assert flat(dict(a=Name("heads"))) == "dict(a=heads)"


def test_a_place_is_written_by_dots_where_it_can_be():
    assert subscript(("a", 0, "class", "b")) == '.a[0]["class"].b'
