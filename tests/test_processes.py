"""A process of the sweep that is killed takes its task alone."""

import pytest
from support.sweeping import job, prepare

from mmfastervit.processes import WorkerProcesses
from mmfastervit.swap.sweep.report import ONLY_SWAPPED, state_of
from mmfastervit.swap.sweep.running import FAILED, killed_step, killed_swap


@pytest.mark.slow
def test_a_process_that_is_killed_takes_its_task_alone():
    with WorkerProcesses(2, prepare) as processes:
        results = processes.do_all(job, lambda task: ("killed", task), [0, 2, 1, 2, 4])
        assert sorted(results) == [*(("done", n) for n in (0, 2, 8)), *[("killed", 2)] * 2]
        with pytest.raises(ValueError, match="3 fails"):
            list(processes.do_all(job, lambda task: None, [3]))


def test_what_was_killed_is_counted_as_failed():
    assert state_of(killed_swap("mmdet::a.py"), {}) == FAILED
    step = killed_step(("mmdet::a.py", "m1"))
    swapped = dict(config="mmdet::a.py", status="swapped", model="m1")
    assert state_of(swapped, {"m1": step}) == ONLY_SWAPPED
