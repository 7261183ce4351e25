"""Goals are judged by what was measured, and by nothing else."""

import pytest

from mmfastervit.bench.cases import Case, Conditions, Result
from mmfastervit.bench.gpu.goals import DEPLOYED, Verdict, judge, summary
from mmfastervit.bench.gpu.running import Outcome

DETECT = Conditions("eval", "fp16", (800, 1280), 8)
CLASSIFY = Conditions("eval", "fp16", (224, 224), 128)


def outcome(name: str, conditions: Conditions, ratio: float | None, rate: float = 100.0) -> Outcome:
    """A case that was measured beside the deployed main model."""
    case = Case(*name.split(":"), conditions)
    result = Result(
        case, seconds=1.0, spread=0.0, images_per_second=rate, gflops=1.0, share=0.5,
        matrix_rate=2.0, ratio=ratio, attention=(), kinds={}, times=(1.0,),
    )  # fmt: skip
    return Outcome(case, DEPLOYED, result)


def verdict(outcomes: list[Outcome], goal: str, conditions: Conditions, trial="") -> Verdict:
    (found,) = (
        v for v in judge(outcomes, trial) if goal in v.goal and v.conditions == str(conditions)
    )
    return found


MAIN = outcome(DEPLOYED, DETECT, 1.0)
GRAPH = outcome("fastervit_2:deploy+cuda_graph", DETECT, 1.6)


@pytest.mark.parametrize(
    ("theirs", "ours", "word"),
    [
        (0.5, [], "reached"),
        (0.8, [], "missed"),
        (0.8, [GRAPH], "reached only with deploy+cuda_graph"),
        (1.2, [GRAPH], "missed"),
    ],
)
def test_the_reference_is_compared_in_the_same_rounds(theirs, ours, word):
    outcomes = [MAIN, outcome("upstream_fastervit_2:eager", DETECT, theirs), *ours]
    found = verdict(outcomes, "over upstream", DETECT)
    assert found.value == pytest.approx(1 / theirs)
    assert found.word == word
    assert str(found).startswith(f"{word}  throughput of fastervit_2 over upstream_fastervit_2")


def test_swin_is_compared_mode_by_mode():
    """A graph of ours is not held against Swin without one."""
    swin = outcome("swin_t:eager", DETECT, 0.6)
    assert verdict([MAIN, swin], "swin_t", DETECT).word == "missed"
    assert verdict([MAIN, swin, GRAPH], "swin_t", DETECT).best is None
    recorded = outcome("swin_t:cuda_graph", DETECT, 0.8)
    found = verdict([MAIN, swin, GRAPH, recorded], "swin_t", DETECT)
    assert found.best == (pytest.approx(2.0), "with deploy+cuda_graph")
    assert found.word == "reached only with deploy+cuda_graph"


@pytest.mark.parametrize(("rate", "word"), [(3160.0, "missed"), (3161.0, "reached")])
def test_the_rate_of_the_paper_is_one_of_images(rate, word):
    assert verdict([outcome(DEPLOYED, CLASSIFY, 1.0, rate)], "paper's", CLASSIFY).word == word


def test_a_goal_that_was_not_measured_says_why():
    case = Case("upstream_fastervit_2", "eager", DETECT)
    failed = Outcome(case, DEPLOYED, trouble="ModuleNotFoundError: not installed")
    found = verdict([MAIN, failed], "over upstream", DETECT)
    assert (found.word, found.value) == ("not measured", None)
    assert "upstream_fastervit_2:eager: ModuleNotFoundError: not installed" in str(found)
    assert {v.word for v in judge([])} == {"not measured"}
    assert {v.why_not for v in judge([])} == {"fastervit_2:deploy: left out"}


def test_a_trial_reaches_nothing():
    outcomes = [MAIN, outcome("swin_t:eager", DETECT, 0.1), outcome(DEPLOYED, CLASSIFY, 1.0, 9e9)]
    assert {v.word for v in judge(outcomes)} == {"reached", "not measured"}
    assert {(v.word, v.why_not) for v in judge(outcomes, "a trial")} == {
        ("not measured", "a trial")
    }


def test_the_summary_has_each_goal_that_was_measured_and_reasons_once():
    outcomes = [MAIN, outcome("swin_t:eager", DETECT, 0.5), outcome(DEPLOYED, CLASSIFY, 1.0)]
    first, second, *missing = summary(judge(outcomes))
    assert first.startswith("missed  images/s of fastervit_2 over the paper's")
    assert (
        second == "reached  throughput of fastervit_2 over swin_t, " + str(DETECT) + ": 2 of 1.78"
    )
    assert all(line.startswith("not measured  ") for line in missing)
    assert sum("fastervit_2:deploy: left out" in line for line in missing) == 3  # goals
    assert sum("upstream_fastervit_2:eager: left out" in line for line in missing) == 1
    assert ", ".join(map(str, (DETECT,))) in "".join(missing)


def test_what_was_measured_beside_another_model_does_not_count():
    other = Outcome(MAIN.case, "swin_t:eager", MAIN.result)
    theirs = outcome("upstream_fastervit_2:eager", DETECT, 0.1)
    assert verdict([other, theirs], "over upstream", DETECT).word == "not measured"
