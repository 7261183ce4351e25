"""The benchmark measures what it says, on models small enough for a test."""

import json
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest
import torch
from torch import nn

from mmfastervit import FasterViT, benchmark, targets
from mmfastervit.benchmark import Case, Conditions, plot, run_cases, run_group, write_json
from mmfastervit.measure import (
    attention_kernels,
    count_gflops,
    count_operations,
    import_seconds,
    matrix_product,
    peak_memory,
    spread,
)
from mmfastervit.targets import Target, report

ARCH = dict(dim=8, in_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2))
MIB = 2**20


def build(name: str, size: tuple[int, int]) -> nn.Module:
    return FasterViT(ARCH, with_cp=name.endswith("+cp"))


def test_operations_count_attention():
    class Attend(nn.Module):
        def forward(self, x):
            return nn.functional.scaled_dot_product_attention(x, x, x)

    x = torch.randn(2, 3, 50, 16)
    assert count_gflops(Attend(), x) == pytest.approx(2 * 3 * 2 * (2 * 50 * 50 * 16) / 1e9)


def test_operations_of_a_training_step_are_three_of_inference():
    layer = nn.Linear(32, 64)
    x = torch.randn(8, 32, requires_grad=True)
    inference = count_operations(partial(layer, x))
    assert count_operations(lambda: layer(x).sum().backward()) == pytest.approx(3 * inference)


def test_the_kernel_of_attention_is_named():
    x = torch.randn(1, 2, 5, 8)
    attend = nn.functional.scaled_dot_product_attention
    (kernel,) = attention_kernels(lambda: attend(x, x, x))
    assert kernel.startswith("scaled_dot_product_flash_attention")
    assert attention_kernels(lambda: x @ x.mT) == ("math",)


def prepare_allocation():
    return lambda: torch.ones(64 * MIB // 4).sum()


def test_memory_is_the_peak_and_not_what_is_left():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        peak = pool.submit(peak_memory, prepare_allocation).result()
    assert 60 <= peak <= 120


def test_spread_is_that_of_the_quartiles():
    assert spread([1.0]) == 0
    assert spread([8.0, 9.0, 10.0, 11.0, 12.0]) == pytest.approx(0.2)


def test_cases_are_compared_with_their_baseline_and_written(tmp_path):
    conditions = [Conditions("eval", "fp32", (64, 96), 2), Conditions("train", "fp32", (32, 32), 2)]
    cases = [Case("small", "eager", c) for c in conditions]
    cases += [Case("small", "deploy", conditions[0]), Case("small", "channels_last", conditions[1])]
    told = []
    results = run_cases(cases, build, "small:eager", 2, with_memory=False, tell=told.append)
    assert len(results) == 4
    for result in results:
        assert result.seconds > 0
        assert 0 < result.share < 1
        assert result.memory is None
        assert (result.ratio == 1) or result.case.mode != "eager"
    assert sum("of the matrix rate" in text for text in told) == 4
    write_json(tmp_path / "r.json", results, "small:eager", "cpu")
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["machine"]["torch"] == torch.__version__
    assert content["results"][0]["case"]["conditions"]["size"] == [64, 96]
    plot(tmp_path / "r.png", results)
    assert (tmp_path / "r.png").stat().st_size > 10_000


def test_each_size_and_model_is_compiled_for_itself(monkeypatch):
    compiled = []

    def note(graph, inputs):
        compiled.append([dim for each in inputs for dim in each.shape])
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=note))
    monkeypatch.setattr(benchmark, "matrix_product", partial(matrix_product, side=8))
    sides, kernels = (4, 5), range(1, 10)
    for side in sides:  # more models, and more sizes, than torch.compile takes by itself
        conditions = Conditions("eval", "fp32", (side, side), 1)
        cases = [Case(str(kernel), "compiled", conditions) for kernel in kernels]
        run_group(cases, build_conv, "", 1, "cpu")
    assert len(compiled) == len(sides) * len(kernels)
    assert all(type(dim) is int for shape in compiled for dim in shape)


def build_conv(name: str, size: tuple[int, int]) -> nn.Module:
    kernel = int(name)
    return nn.Sequential(nn.Conv2d(3, 2, kernel, padding=kernel))


def test_every_target_of_the_table_is_checked(monkeypatch):
    monkeypatch.setattr(targets, "memory_of", lambda case, build, device: len(case.model))
    monkeypatch.setattr(targets, "import_seconds", lambda: 0.1)
    told = []
    options = dict(rounds=1, shrink=16, precisions=("fp32",))
    found = report(targets.check_targets(build, "a", "upstream", **options), told.append)
    assert len(found) == 4 + 4 + 3
    assert told[-1].endswith(f"of {len(found)} targets reached")
    assert str(found[-1]).startswith("reached ")


def test_a_target_that_the_machine_cannot_tell_says_why(monkeypatch):
    monkeypatch.setattr(targets, "emulation", lambda precision: "no such arithmetic")
    found = list(targets.inference(build, "a", "upstream", 1, "bf16", (32, 32)))
    assert [target.is_reached for target in found] == [False, False]
    assert str(found[1]) == (
        "not measured eval bf16 32x32 batch 1, share of the matrix rate (must be >= 0.85): "
        "no such arithmetic"
    )
    monkeypatch.undo()
    assert targets.emulation("fp32") == ""


def test_a_missed_target_says_so():
    assert str(Target("speed", 1.0, 1.12, True)).startswith("NOT reached  speed: 1.000 (must be >=")
    assert Target("memory", 0.5, 0.6, False).is_reached


def test_importing_the_package_is_quick():
    assert import_seconds() <= 0.3
