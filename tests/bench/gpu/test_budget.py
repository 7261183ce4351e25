"""The time of a report ends."""

import time

import pytest

from mmfastervit.bench.cases import Case, Conditions
from mmfastervit.bench.gpu.budget import EXPECTED, Budget, TimeIsUp, ended_after

CONDITIONS = Conditions("eval", "fp32", (32, 32), 1)
EAGER, COMPILED = Case("a", "eager", CONDITIONS), Case("a", "deploy+compiled", CONDITIONS)


def test_a_case_is_taken_to_last_as_long_as_the_last_of_its_kind():
    now = [100.0]
    budget = Budget(60, clock=lambda: now[0])
    assert budget.left == 60
    assert (budget.expected(EAGER), budget.expected(COMPILED)) == (EXPECTED[False], EXPECTED[True])
    with budget.spent_on(COMPILED):
        now[0] += 7
    assert (budget.expected(EAGER), budget.expected(COMPILED)) == (EXPECTED[False], 7)
    assert budget.left == 53


def test_what_takes_too_long_is_ended():
    """Also where something catches every error."""

    def sleep() -> None:
        try:
            time.sleep(30)
        except Exception:
            time.sleep(30)

    with pytest.raises(TimeIsUp), ended_after(0.05):
        sleep()


def test_what_ends_in_time_is_left_alone():
    with ended_after(0.05):
        pass
    time.sleep(0.1)
