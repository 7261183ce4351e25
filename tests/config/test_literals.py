"""Values that are written as Python are read, and nothing of them is run."""

import pytest

from mmfastervit.config.literals import read_assignments, read_literal


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("dict(a=1, b=dict(c=[1, (2,)]))", dict(a=1, b=dict(c=[1, (2,)]))),
        ("{'a b': None, 'c': -1.5}", {"a b": None, "c": -1.5}),
        (" 'text' ", "text"),
        ("dict({'a.b': dict(c=1)}, d=2)", {"a.b": dict(c=1), "d": 2}),
    ],
)
def test_plain_values_are_read(text, value):
    assert read_literal(text) == value


@pytest.mark.parametrize("text", ["open('x')", "dict([1])", "dict(**{})", "a", "f'{1}'", "[]()"])
def test_anything_that_would_run_is_refused(text):
    with pytest.raises(ValueError, match=r"value|node|malformed"):
        read_literal(text)


def test_a_printed_config_is_read():
    text = "a = dict(\n    b=1,\n    c=[\n        'x',\n    ])\nd = None\n"
    assert read_assignments(text) == dict(a=dict(b=1, c=["x"]), d=None)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nimport os", "line 2 is no assignment"),
        ("a = 1\n\nb = open('x')", "line 3 is no plain value"),
        ("a.b = 1", "line 1 is no assignment"),
        ("a = (", "can't be parsed"),
    ],
)
def test_the_line_that_is_none_is_named(text, line):
    with pytest.raises(ValueError, match=line):
        read_assignments(text)
