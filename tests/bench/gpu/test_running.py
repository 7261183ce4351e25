"""Cases are measured, whatever becomes of others, until the time is up."""

import time
from functools import partial

import pytest
import torch
from support.small_benchmark import build
from torch import nn

from mmfastervit.bench.cases import Conditions
from mmfastervit.bench.gpu import running
from mmfastervit.bench.gpu.budget import Budget
from mmfastervit.bench.gpu.plan import Group, Padding, case_of
from mmfastervit.bench.gpu.running import Bench, Copies, Outcome, in_words, rounds_within, run_plan

CONDITIONS = Conditions("eval", "fp32", (32, 48), 2)
DEPLOYED = "fastervit_2:deploy"


def bench(build=build, seconds: float = 900.0, device: str = "cpu") -> Bench:
    return Bench(build, device, rounds=1, budget=Budget(seconds), is_trial=True)


def group(*names: str, conditions: Conditions = CONDITIONS) -> Group:
    return Group(tuple(case_of(name, conditions) for name in names))


def measured(cases: Group, **options) -> dict[str, Outcome]:
    return {outcome.case.name: outcome for outcome in bench(**options).run_group(cases.cases)}


def test_each_case_is_measured_beside_the_first():
    found = measured(group(DEPLOYED, "fastervit_2:deploy+channels_last", "swin_t:eager"))
    first, last, other = found.values()
    assert [outcome.trouble for outcome in found.values()] == [""] * 3
    assert {outcome.baseline for outcome in found.values()} == {DEPLOYED}
    assert first.result.ratio == 1
    assert last.result.ratio > 0
    assert other.result.ratio > 0
    assert first.result.kinds["convolution"].rate > 0
    assert (last.result.kinds, other.result.kinds) == ({}, {})
    assert first.difference is None  # it is what others are compared with
    assert last.difference < 1e-4
    assert other.difference is None  # another model
    for outcome in found.values():
        result = outcome.result
        assert result.attention[0].startswith("scaled_dot_product")
        assert result.memory > 0
        assert result.parameters == sum(w.numel() for w in build("", (1, 1)).parameters())
        assert result.images_per_second == pytest.approx(2 / result.seconds)
        assert result.gflops == pytest.approx(first.result.gflops)


def test_training_steps_are_measured():
    conditions = Conditions("train", "fp32", (32, 48), 2)
    found = measured(group("fastervit_2:eager", "fastervit_2+cp:eager", conditions=conditions))
    plain, saving = (outcome.result for outcome in found.values())
    assert saving.ratio > 0
    assert saving.gflops == plain.gflops  # what is computed again is no more work
    weights = 4 * plain.parameters / 2**20  # MiB
    assert min(plain.memory, saving.memory) > 2 * weights  # and their gradients
    assert [outcome.difference for outcome in found.values()] == [None, None]  # no maps


def failing_for(name: str, error: Exception):
    """A builder that fails for one model."""

    def build_or_fail(model: str, size: tuple[int, int]) -> nn.Module:
        if model == name:
            raise error
        return build(model, size)

    return build_or_fail


def test_a_case_that_fails_is_told_and_the_others_go_on():
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nSee more.")
    found = measured(
        group(DEPLOYED, "swin_t:eager", "convnext_t:eager"), build=failing_for("swin_t", error)
    )
    assert found["swin_t:eager"].result is None
    assert found["swin_t:eager"].trouble == "out of memory: Tried to allocate 2 GiB. See more."
    assert found["convnext_t:eager"].result.ratio > 0


def test_without_its_baseline_a_case_is_measured_without_a_ratio():
    found = measured(
        group(DEPLOYED, "swin_t:eager"), build=failing_for("fastervit_2", ValueError("no"))
    )
    assert found[DEPLOYED].trouble == "ValueError: no"
    assert found["swin_t:eager"].result.seconds > 0
    assert found["swin_t:eager"].result.ratio is None


def test_compiled_models_are_measured_after_they_were_compiled(monkeypatch):
    compiled = []

    def note(graph, inputs):
        compiled.append(len(inputs))
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=note))
    names = (DEPLOYED, "fastervit_2:deploy+compiled", "swin_t:compiled")
    found = measured(group(*names))
    assert [outcome.trouble for outcome in found.values()] == [""] * 3
    assert len(compiled) == 2
    ours = found["fastervit_2:deploy+compiled"]
    assert ours.difference < 1e-4
    assert ours.result.ratio > 0
    assert ours.result.memory is None  # a CPU's profiler would count the compiler's
    assert ours.result.kinds == {}


def test_a_compiler_that_fails_is_told(monkeypatch):
    def fail(graph, inputs):
        raise OSError("no C compiler here")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=fail))
    found = measured(group(DEPLOYED, "fastervit_2:deploy+compiled", "swin_t:eager"))
    assert "no C compiler here" in found["fastervit_2:deploy+compiled"].trouble
    assert found["swin_t:eager"].result


def test_a_mode_that_computes_something_else_has_no_figure(monkeypatch):
    class Odd(nn.Module):
        """Adds one where its weight is of channels last."""

        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)

        def forward(self, x):
            odd = self.conv.weight.is_contiguous(memory_format=torch.channels_last)
            return self.conv(x) + odd

    found = measured(group("m:eager", "m:channels_last"), build=lambda *_: Odd())
    assert found["m:eager"].result
    assert found["m:channels_last"].result is None
    assert "computes something else than m:eager: differs by" in found["m:channels_last"].trouble
    assert found["m:channels_last"].difference > 0.1


def test_models_are_built_once_and_those_of_a_size_for_each():
    built = []

    def note(name: str, size: tuple[int, int]) -> nn.Module:
        built.append((name, size))
        return nn.Identity()

    build_copy = Copies(note)
    for name in ("fastervit_0", "swin_t", "upstream_fastervit_0", "convnext_t"):
        for size in ((32, 32), (64, 64), (32, 32)):
            build_copy(name, size)
    assert [name for name, _ in built] == [
        "fastervit_0", *["swin_t"] * 2, *["upstream_fastervit_0"] * 2, "convnext_t",
    ]  # fmt: skip


def test_all_modes_of_a_model_have_the_same_weights():
    build_copy = Copies(build)
    one, other = build_copy("a", (32, 32)), build_copy("a", (32, 32))
    assert one is not other
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, other.state_dict()[name])


def test_results_are_handed_on_after_each_group():
    kept = []
    small = Conditions("eval", "fp32", (32, 32), 1)
    steps = [
        group(DEPLOYED, "swin_t:eager"),
        Padding("fastervit_2", small),
        group("fastervit_2:deploy", conditions=small),
        group(DEPLOYED, "convnext_t:eager"),  # its baseline was measured before
    ]
    report = run_plan(
        steps, bench(), lambda r: kept.append((len(r.outcomes), bool(r.paddings))), tell=str
    )
    assert kept == [(2, False), (2, True), (3, True), (4, True), (4, True)]
    assert [o.case.name for o in report.outcomes].count(DEPLOYED) == 2  # once for each size
    assert (report.left_out, report.stopped, report.troubles) == ([], "", [])


def test_what_there_is_no_time_for_is_left_out(monkeypatch):
    monkeypatch.setattr("mmfastervit.bench.gpu.budget.EXPECTED", {True: 1000.0, False: 4.0})
    steps = [group(DEPLOYED, "fastervit_2:deploy+compiled", "swin_t:eager")]
    standing = Budget(900, clock=lambda: 0.0)  # a time that does not pass: machines differ
    slow = Bench(build, "cpu", rounds=1, budget=standing, is_trial=True)
    report = run_plan(steps, slow, lambda report: None, tell=str)
    assert [o.case.name for o in report.outcomes] == [DEPLOYED, "swin_t:eager"]
    assert [case.name for case in report.left_out] == ["fastervit_2:deploy+compiled"]
    assert "too short" in report.stopped


def test_a_case_that_hangs_is_ended_with_the_time(monkeypatch):
    monkeypatch.setattr(running, "prepare", lambda *_: time.sleep(30))
    monkeypatch.setattr("mmfastervit.bench.gpu.budget.EXPECTED", {True: 0.0, False: 0.0})
    steps, kept = [group(DEPLOYED, "swin_t:eager")], []
    start = time.monotonic()
    report = run_plan(steps, bench(seconds=0.3), lambda r: kept.append(r.stopped), tell=str)
    assert time.monotonic() - start < 10
    assert report.stopped == "the time was up"
    assert kept == ["the time was up"]
    assert len(report.left_out) == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, which answers")
def test_a_gpu_that_answers_no_more_ends_the_run():
    """No case after it could be measured; without a GPU none answers from the start."""
    steps = [group(DEPLOYED, "swin_t:eager"), group("fastervit_0:deploy")]
    report = run_plan(steps, bench(device="cuda"), lambda report: None, tell=str)
    assert report.stopped.startswith("the GPU answers no more: fastervit_2:deploy, eval fp32")
    assert report.outcomes == []
    assert len(report.left_out) == 3


@pytest.mark.parametrize(
    ("seconds", "most", "rounds"), [(0.001, 9, 9), (0.3, 9, 5), (5.0, 9, 3), (0.001, 1, 1)]
)
def test_rounds_are_odd_and_fewer_where_calls_are_long(seconds, most, rounds):
    assert rounds_within(seconds, most) == rounds


def test_an_error_is_told_in_one_line():
    assert in_words(RuntimeError("a\n  b")) == "RuntimeError: a b"
    assert in_words(KeyError()) == "KeyError: without a message"
    assert len(in_words(RuntimeError("x" * 5000))) < 400
