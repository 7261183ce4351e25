"""The benchmark's options, its models, and what it writes."""

import csv
import json
from argparse import ArgumentParser, Namespace

import onnx
import pytest
import torch
from support.small_benchmark import build
from support.torch_file import TorchFile, write

from mmfastervit.bench.results import write_json
from mmfastervit.commands import benchmark, main
from mmfastervit.models.channels import channels_in
from mmfastervit.runtimes import RUNTIMES


def parse(*options: str) -> Namespace:
    """Read a command line."""
    parser = ArgumentParser()
    benchmark.add_arguments(parser)
    return benchmark.settle(parser.parse_args(options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--target --device cuda", "leave out --device cuda"),
        ("--target --sizes 64x64 --modes eager", "leave out --modes, --sizes"),
        ("--target --batches 2 --no-memory", "leave out --batches, --no-memory"),
        ("--target --csv x.csv", "leave out --csv"),
        ("--target --precisions fp16", "--target has no fp16"),
        ("--target --models fastervit_0", "takes two --models"),
        ("--target --models swin_t fastervit_0", "one of ours"),
        ("--shrink 4", "is for --target"),
        (
            "--baseline swin_t:eager --models swin_s --modes eager",
            "not measured; take swin_s:eager",
        ),
        ("--models swin_t --modes deploy", "nothing to measure"),
        ("--models swin_t --runtimes openvino", "nothing to measure: deploy and files are for our"),
        ("--target --runtimes openvino", "leave out --runtimes"),
        ("--target --int8", "leave out --int8"),
        ("--int8", "--int8 is for files of our models"),
        ("--int8 --models swin_t --runtimes torch openvino", "--int8 is for files of our models"),
        ("--int8 --models fastervit_0 --runtimes torch openvino --tasks train", "--int8 is for"),
        ("--runtimes torch onnxruntime --device cuda", "onnxruntime is measured on --device cpu"),
        ("--runtimes onnxruntime --precisions bf16", "has no switch for bfloat16"),
        ("--onnx setup.cfg", "--onnx setup.cfg is for --runtimes onnxruntime openvino or"),
        ("--onnx x.onnx --runtimes openvino --models fastervit_0 fastervit_1", "of one model"),
        ("--onnx x.onnx --runtimes openvino --models fastervit_0", "there is no file x.onnx"),
        ("--models upstream_fastervit_0 --channels 4", "upstream_* is measured with 3"),
        ("--target --channels 4", "leave out --channels 4"),
        ("--channels 0", "invalid positive value"),
        ("--sizes 0x64", "expected HEIGHTxWIDTH"),
        ("--rounds 0", "invalid positive value"),
        ("--json nowhere/x.json", "no folder nowhere"),
        ("--json .", "--json . is a folder"),
    ],
)
def test_options_that_would_be_ignored_are_refused(options, message, capsys):
    with pytest.raises(SystemExit) as end:
        main("benchmark", options.split())
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_defaults_are_filled_in():
    args = parse()
    assert (args.tasks, args.batches, args.precisions) == (["eval"], [1], None)
    assert len(args.sizes) == 4
    assert parse("--target").models == ["fastervit_2", "upstream_fastervit_2"]


def test_runtimes_run_our_models_beside_all_that_torch_runs(monkeypatch):
    options = "--models fastervit_0 fastervit_0+cp swin_t --modes eager deploy --sizes 64x64"
    cases = "--tasks eval train --precisions fp32 bf16 --runtimes torch onnxruntime openvino"
    monkeypatch.setattr(RUNTIMES["openvino"], "why_no_bf16", staticmethod(lambda: ""))
    args = parse(*options.split(), *cases.split())
    found = [(c.name, c.conditions.precision) for c in benchmark.cases_of(args) if c.is_file]
    assert found == [
        ("fastervit_0:onnxruntime", "fp32"),
        ("fastervit_0:openvino", "fp32"),
        ("fastervit_0:openvino", "bf16"),
    ]
    assert list(benchmark.left_out(args)) == [("onnxruntime", "bf16")]
    names = {case.name for case in benchmark.cases_of(args)}
    assert {"swin_t:eager", "fastervit_0+cp:eager", "fastervit_0:deploy"} < names
    alone = benchmark.cases_of(parse(*options.split(), "--runtimes", "onnxruntime"))
    assert [case.name for case in alone] == ["fastervit_0:onnxruntime"]


def test_a_quantised_file_is_not_timed_as_a_float_one(tmp_path, capsys):
    file = tmp_path / "int8.onnx"
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "none", [], [])), file)
    model = onnx.load(file)
    onnx.helper.set_model_props(model, dict(precision='"int8"'))
    onnx.save(model, file)
    options = f"--models fastervit_0 --runtimes onnxruntime --onnx {file}"
    with pytest.raises(SystemExit) as end:
        main("benchmark", options.split())
    assert end.value.code == 2
    assert "is a quantised file" in capsys.readouterr().err


def test_int8_is_timed_beside_the_float_files():
    options = "--models fastervit_0 fastervit_0+cp swin_t --modes deploy --sizes 64x64 --int8"
    args = parse(*options.split(), "--runtimes", "torch", "onnxruntime")
    assert [case.name for case in benchmark.cases_of(args)] == [
        "fastervit_0:deploy", "fastervit_0:onnxruntime", "fastervit_0:onnxruntime+int8",
    ]  # fmt: skip


def test_files_of_a_run_are_timed_and_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "build", build)
    monkeypatch.setattr(benchmark, "write_file", write)
    monkeypatch.setitem(RUNTIMES, "onnxruntime", type("Fake", (TorchFile,), dict(seen=[])))
    table, results = tmp_path / "r.csv", tmp_path / "r.json"
    options = "--models fastervit_0 --modes deploy --sizes 32x32 --rounds 2 --no-memory"
    runtimes = "--runtimes torch onnxruntime --precisions fp32 bf16 --baseline fastervit_0:deploy"
    with pytest.raises(SystemExit) as end:
        main(
            "benchmark",
            [*options.split(), *runtimes.split(), "--csv", str(table), "--json", str(results)],
        )
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert "left out: onnxruntime in bf16: it is made of torch" in told
    content = json.loads(results.read_text())
    assert content["left_out"] == {"onnxruntime bf16": "it is made of torch"}
    assert content["machine"]["onnxruntime"]
    assert content["machine"]["openvino"]
    with table.open(newline="") as file:
        rows = [(row["precision"], row["mode"], row["ratio"]) for row in csv.DictReader(file)]
    assert [row[:2] for row in rows] == [
        ("bf16", "deploy"), ("fp32", "deploy"), ("fp32", "onnxruntime"),
    ]  # fmt: skip
    assert all(float(row[2]) > 0 for row in rows)


def test_a_file_of_other_results_ends_in_one_line(tmp_path, monkeypatch, capsys):
    wrong = type("Wrong", (TorchFile,), dict(seen=[], factor=2.0))
    monkeypatch.setattr(benchmark, "build", build)
    monkeypatch.setattr(benchmark, "write_file", write)
    monkeypatch.setitem(RUNTIMES, "onnxruntime", wrong)
    options = "--models fastervit_0 --sizes 32x32 --runtimes onnxruntime --rounds 1"
    with pytest.raises(SystemExit) as end:
        main("benchmark", options.split())
    assert end.value.code == 1
    assert "error: fastervit_0 by Torch's file in fp32 differs" in capsys.readouterr().err


def test_without_models_other_channels_leave_out_what_takes_three_alone():
    args = parse("--channels", "13")
    assert "upstream_fastervit_2" not in args.models
    assert {case.conditions.channels for case in benchmark.cases_of(args)} == {13}


@pytest.mark.parametrize("name", ["fastervit_0", "fastervit_0+cp", "swin_t", "convnext_t"])
def test_models_take_other_channels(name):
    with torch.device("meta"):
        model = benchmark.build(name, (64, 64), channels=6)
    assert channels_in(model) == 6


@pytest.mark.parametrize("name", ["fastervit_0", "swin_t", "convnext_t"])
def test_models_are_built_without_stochastic_depth(name):
    with torch.device("meta"):
        model = benchmark.build(name, (224, 224))
    rates = [m.drop_prob for m in model.modules() if type(m).__name__ == "DropPath"]
    assert not any(rates)


def test_the_tool_writes_what_it_ran_and_how(tmp_path, monkeypatch, capsys):
    path = tmp_path / "r.json"
    seen = []
    monkeypatch.setattr(benchmark, "build", build)

    def note(*arguments):
        seen.append(len(arguments[1]["results"]))
        write_json(*arguments)

    monkeypatch.setattr(benchmark, "write_json", note)
    options = "--models fastervit_0 --modes eager --sizes 32x32 32x64 --rounds 2 --no-memory"
    with pytest.raises(SystemExit) as end:
        main("benchmark", [*options.split(), "--json", str(path), "--csv", f"{path}.csv"])
    assert end.value.code == 0
    assert seen == [1, 2]  # after each size
    content = json.loads(path.read_text())
    assert content["rounds"] == 2
    assert content["built"]["timm"]["drop_path_rate"] == 0
    assert content["built"]["upstream"]["returns"] == "class scores"
    assert [len(result["times"]) for result in content["results"]] == [2, 2]
    with open(f"{path}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["height"], row["img_size"]) for row in rows] == [("32", "32"), ("32", "64")]
    for row, result in zip(rows, content["results"], strict=True):
        assert float(row["infer_samples_per_sec"]) == pytest.approx(
            result["images_per_second"], abs=0.01
        )
        assert float(row["param_count"]) == round(result["parameters"] / 1e6, 2) > 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["built"] == content["built"]
