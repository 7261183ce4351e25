"""Where two configs differ."""

import pytest

from mmfastervit.config.comparing import differences
from mmfastervit.config.tree import ABSENT


@pytest.mark.parametrize(
    ("was", "now", "found"),
    [
        (dict(a=1, b=[1, 2]), dict(a=1, b=(1, 2)), []),
        (dict(a=1), dict(a=2), [(("a",), 1, 2)]),
        (dict(a=1), dict(), [(("a",), 1, ABSENT)]),
        (dict(), dict(a=None), [(("a",), ABSENT, None)]),
        (dict(a=[dict(x=1), 2]), dict(a=[dict(x=3), 2]), [(("a", 0, "x"), 1, 3)]),
        (dict(a=[1, 2]), dict(a=[1]), [(("a",), [1, 2], [1])]),
        (dict(a=dict(b=1)), dict(a=1), [(("a",), dict(b=1), 1)]),
        (dict(a=True), dict(a=1), [(("a",), True, 1)]),
    ],
)
def test_each_difference_is_told_once(was, now, found):
    assert [*differences(was, now)] == found


def test_a_number_that_is_none_equals_itself():
    nan = float("nan")
    assert [*differences(dict(a=nan), dict(a=nan))] == []
    assert [*differences(dict(a=nan), dict(a=float("nan")))] == []
