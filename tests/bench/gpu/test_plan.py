"""What a report measures, and in which order."""

from collections import Counter

import pytest

from mmfastervit.bench.cases import CHANGES, Conditions
from mmfastervit.bench.gpu.goals import judge
from mmfastervit.bench.gpu.plan import (
    BATCHES,
    DETECT,
    MAIN,
    MODELS,
    PRECISIONS,
    Choice,
    Group,
    Padding,
    case_of,
    plan,
)

ALL = Choice(MODELS, PRECISIONS, tuple(CHANGES))


def groups(choice: Choice) -> list[Group]:
    return [step for step in plan(choice) if isinstance(step, Group)]


def test_each_case_is_measured_once_beside_the_same_baseline():
    counts: Counter = Counter()
    for group in groups(ALL):
        assert {case.conditions for case in group.cases} == {group.conditions}
        mode = "deploy" if group.conditions.task == "eval" else "eager"
        assert group.cases[0].name == f"{MAIN}:{mode}"
        counts.update(group.cases[1:])
    assert set(counts.values()) == {1}


def test_all_that_the_goals_ask_for_is_planned():
    planned = {(case.name, str(case.conditions)) for group in groups(ALL) for case in group.cases}
    for verdict in judge([]):
        assert (f"{MAIN}:deploy", verdict.conditions) in planned
        assert ("upstream_fastervit_2:eager", verdict.conditions) in planned
        assert ("swin_t:eager", verdict.conditions) in planned


def test_the_grid_is_whole():
    planned = {case for group in groups(ALL) for case in group.cases}
    conditions = [
        Conditions("eval", precision, size, batch)
        for precision in PRECISIONS
        for size in BATCHES
        for batch in BATCHES[size]
    ]
    assert len(conditions) == 3 * 7
    names = ["deploy", "deploy+cuda_graph", "deploy+compiled", "deploy+compiled+cuda_graph"]
    names = [f"{MAIN}:{mode}" for mode in names]
    names += ["swin_b:compiled", "convnext_s:channels_last", "fastervit_4:deploy"]
    for one in conditions:
        for name in names:
            assert case_of(name, one) in planned, (name, one)


def test_the_goals_come_before_what_compiles():
    """Compiling takes a minute a case: the eager goals at the main batch must not wait for it."""
    cases = [case for group in groups(ALL) for case in group.cases]
    compiled = next(i for i, case in enumerate(cases) if "compiled" in case.changes)
    goal = case_of("swin_t:eager", Conditions("eval", "fp16", DETECT, 8))
    assert cases.index(goal) < compiled


def test_a_choice_leaves_out_the_rest():
    chosen = Choice([MAIN, "swin_t"], ["bf16"], ["eager", "deploy"])
    cases = [case for group in groups(chosen) for case in group.cases]
    assert {case.model for case in cases} == {MAIN, "swin_t", f"{MAIN}+cp"}
    assert {case.conditions.precision for case in cases} == {"bf16"}
    assert {case.mode for case in cases} == {"eager", "deploy"}
    assert not [step for step in plan(chosen) if isinstance(step, Padding)]  # fp16 and fp32


def test_without_the_main_model_the_first_is_the_baseline():
    chosen = Choice(["swin_t", "fastervit_0"], ["fp32"], ["eager", "deploy"])
    assert {group.cases[0].name for group in groups(chosen)} == {"swin_t:eager"}
    chosen = Choice(["fastervit_0"], ["fp32"], ["eager", "deploy"])
    assert {g.cases[0].name for g in groups(chosen) if g.conditions.task == "eval"} == {
        "fastervit_0:deploy"
    }


@pytest.mark.parametrize(
    ("conditions", "shrink", "size", "batch"),
    [
        (Conditions("eval", "fp16", (800, 1280), 32), 16, (50, 80), 2),
        (Conditions("eval", "fp16", (224, 224), 128), 16, (32, 32), 8),
        (Conditions("eval", "fp16", (224, 224), 8), 1, (224, 224), 8),
    ],
)
def test_shrinking_keeps_something_to_measure(conditions, shrink, size, batch):
    scaled = Choice([MAIN], PRECISIONS, tuple(CHANGES), shrink).scaled(conditions)
    assert (scaled.size, scaled.batch) == (size, batch)
