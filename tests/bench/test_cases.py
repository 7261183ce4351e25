"""Cases are run and compared, on models small enough for a test."""

import json
from dataclasses import asdict
from functools import partial

import pytest
import torch
from support.fake_cuda import OnTheCPU, as_fake, on_fake_cuda
from support.small_benchmark import build
from torch import nn

import mmfastervit.bench.cases as cases_module
from mmfastervit.bench.cases import Case, Conditions, counts_of, run_cases, run_group
from mmfastervit.bench.measure import matrix_product
from mmfastervit.bench.results import plot, write_json
from mmfastervit.models import deploy


def test_cases_are_compared_with_their_baseline_and_written(tmp_path):
    conditions = [Conditions("eval", "fp32", (64, 96), 2), Conditions("train", "fp32", (32, 32), 2)]
    cases = [Case("small", "eager", c) for c in conditions]
    cases += [Case("small", "deploy", conditions[0]), Case("small", "channels_last", conditions[1])]
    told, kept = [], []
    options = dict(with_memory=False, tell=told.append, keep=lambda found: kept.append(len(found)))
    results = run_cases(cases, build, "small:eager", 2, **options)
    assert kept == [2, 4]
    for result in results:
        assert result.seconds > 0
        assert len(result.times) == 2
        assert result.share == pytest.approx(
            result.gflops / result.seconds / result.matrix_rate, rel=1e-6
        )
        assert 0 < result.share < 1
        assert result.memory is None
        assert sum(kind.share for kind in result.kinds.values()) == pytest.approx(1)
        assert result.kinds["convolution"].rate > 0
        assert (result.ratio == 1) or result.case.mode != "eager"
    assert sum("of the matrix rate" in text for text in told) == 4
    assert sum("matrix product: " in text and "GFLOP/s" in text for text in told) == 2
    write_json(tmp_path / "r.json", dict(results=list(map(asdict, results))))
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["results"][0]["case"]["conditions"]["size"] == [64, 96]
    assert content["results"][0]["times"] == list(results[0].times)
    plot(tmp_path / "r.png", results)
    assert (tmp_path / "r.png").stat().st_size > 10_000


def test_images_have_the_channels_that_are_asked_for():
    seen = []

    class Model(nn.Module):
        def forward(self, images):
            seen.append(images.shape)
            return images

    conditions = Conditions("eval", "fp32", (8, 6), 2, channels=13)
    cases_module.prepare(Case("any", "eager", conditions), lambda *_: Model(), "cpu")()
    assert seen == [(2, 13, 8, 6)]
    assert str(conditions) == "eval fp32 8x6 batch 2 channels 13"


def test_a_mode_of_unknown_words_is_refused():
    with pytest.raises(ValueError, match="unknown mode 'deploy-cast': join some of eager, deploy"):
        Case("small", "deploy-cast", Conditions("eval", "fp32", (8, 8), 1))


@pytest.mark.parametrize("mode", ["deploy", "deploy+channels_last", "deploy+cast", "eager+cast"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_modes_compute_the_same_maps(mode, precision):
    conditions = Conditions("eval", precision, (64, 96), 2)
    plain, other = (
        cases_module.prepare(Case("small", each, conditions), build, "cpu")()
        for each in ("eager", mode)
    )
    assert {m.dtype for m in other} == {cases_module.PRECISIONS[precision]}
    for found, expected in zip(other, plain, strict=True):
        largest = expected.float().abs().max()
        tolerance = 1e-4 if precision == "fp32" else 0.1
        assert (found.float() - expected.float()).abs().max() <= tolerance * largest


@pytest.mark.parametrize(
    "mode", ["eager", "channels_last", "deploy", "deploy+channels_last", "deploy+cast"]
)
def test_modes_stay_on_a_gpu(mode):
    conditions = Conditions("eval", "fp16", (64, 96), 2)
    model = build("small", (64, 96)).eval()
    if "deploy" in mode:  # before: folding copies, and a copy of a fake weight is not one of ours
        deploy(model)
    with on_fake_cuda(), as_fake(model) as fake:
        call = cases_module.prepare(Case("small", mode, conditions), lambda *_: fake, "cuda")
        with OnTheCPU() as watch:
            maps = call()
    assert watch.seen == []
    assert {m.device.type for m in maps} == {"cuda"}


def test_a_cuda_graph_asks_for_a_gpu():
    case = Case("small", "deploy+cuda_graph", Conditions("eval", "fp32", (32, 32), 1))
    with pytest.raises(ValueError, match="on a GPU alone"):
        cases_module.prepare(case, build, "cpu")


def test_parameters_are_those_of_the_model_as_it_was_built():
    case = Case("small", "deploy", Conditions("eval", "fp32", (32, 32), 1))
    built = build("small", (32, 32))
    assert counts_of(case, build, "cpu").parameters == sum(w.numel() for w in built.parameters())


def test_each_size_and_model_is_compiled_for_itself(monkeypatch):
    compiled = []

    def note(graph, inputs):
        compiled.append([dim for each in inputs for dim in each.shape])
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=note))
    monkeypatch.setattr(cases_module, "matrix_product", partial(matrix_product, side=8))
    sides, kernels = (4, 5), range(1, 10)
    for side in sides:  # more models, and more sizes, than torch.compile takes by itself
        conditions = Conditions("eval", "fp32", (side, side), 1)
        cases = [Case(str(kernel), "compiled", conditions) for kernel in kernels]
        run_group(cases, build_conv, "", 1, "cpu")
    assert len(compiled) == len(sides) * len(kernels)
    assert all(type(dim) is int for shape in compiled for dim in shape)


def test_checkpointing_counts_the_operations_of_the_plain_model():
    conditions = Conditions("train", "fp32", (64, 64), 1)
    plain, saving = (Case(name, "eager", conditions) for name in ("small", "small+cp"))
    assert counts_of(saving, build, "cpu") == counts_of(plain, build, "cpu")


def build_conv(name: str, size: tuple[int, int]) -> nn.Module:
    kernel = int(name)
    return nn.Sequential(nn.Conv2d(3, 2, kernel, padding=kernel))
