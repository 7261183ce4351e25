"""The benchmark's options, its models, and what it writes."""

import csv
import json
from argparse import ArgumentParser, Namespace

import pytest
import torch
from support.small_benchmark import build

from mmfastervit.bench.results import write_json
from mmfastervit.commands import benchmark, main
from mmfastervit.models.channels import channels_in


def parse(*options: str) -> Namespace:
    """Read a command line."""
    parser = ArgumentParser()
    benchmark.add_arguments(parser)
    return benchmark.prepare(parser.parse_args(options))


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
