"""A process of the sweep that is killed takes its task alone."""

import pytest
from support.sweeping import greedy, job, prepare, process_of

from mmfastervit.processes import KILLED, Limits, WorkerProcesses
from mmfastervit.swap.sweep.report import ONLY_SWAPPED, state_of
from mmfastervit.swap.sweep.running import FAILED, killed_step, killed_swap


@pytest.mark.slow
def test_a_process_that_is_killed_takes_its_task_alone():
    with WorkerProcesses(2, prepare) as processes:
        results = processes.do_all(job, lambda task, reason: ("killed", task), [0, 2, 1, 2, 4])
        assert sorted(results) == [*(("done", n) for n in (0, 2, 8)), *[("killed", 2)] * 2]
        with pytest.raises(ValueError, match="3 fails"):
            list(processes.do_all(job, lambda task, reason: None, [3]))


def test_what_was_killed_is_counted_as_failed():
    assert state_of(killed_swap("mmdet::a.py", KILLED), {}) == FAILED
    step = killed_step(("mmdet::a.py", "m1"), KILLED)
    swapped = dict(config="mmdet::a.py", status="swapped", model="m1")
    assert state_of(swapped, {"m1": step}) == ONLY_SWAPPED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "task", "reason"),
    [
        (Limits(seconds=3, gigabytes=8), "sleeps", "longer than 3 s"),
        (Limits(seconds=60, gigabytes=2), "grows", "more than 2 GB of memory"),
    ],
)
def test_a_task_that_takes_too_much_is_ended_and_the_next_is_done(limits, task, reason):
    with WorkerProcesses(1, prepare, limits=limits) as processes:
        results = list(processes.do_all(greedy, lambda task, why: (task, why), [task, "modest"]))
    assert results == [(task, reason), ("modest", "done")]


@pytest.mark.slow
def test_each_task_can_have_a_process_of_its_own():
    with WorkerProcesses(1, prepare, tasks=1) as processes:
        assert len(set(processes.do_all(process_of, lambda task, why: None, range(3)))) == 3
