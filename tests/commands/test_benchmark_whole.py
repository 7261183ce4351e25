"""``mmfastervit benchmark CONFIG``: a little model in torch and as a file, part by part."""

import csv
import json

import pytest
from support import exported
from support.answers import status_of
from support.opened import checkpoint_of

from mmfastervit.runtimes import RUNTIMES, OpenVino

SMALL = ("--sizes", "64x64", "--rounds", "2", "--batches", "1", "2")


@pytest.fixture
def config(tmp_path) -> str:
    path = tmp_path / "little.py"
    exported.tested_config("seg").dump(path)
    return str(path)


def test_a_model_and_its_file_are_timed_part_by_part(config, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(OpenVino, "why_no_bf16", staticmethod(lambda: "it is too old"))
    results, table = tmp_path / "r.json", tmp_path / "r.csv"
    status, told, errors = status_of(
        capsys,
        *("benchmark", config, checkpoint_of("seg"), *SMALL),
        *("--runtimes", "torch", *RUNTIMES, "--precisions", "fp32", "bf16"),
        *("--json", str(results), "--csv", str(table)),
    )
    assert status == 0, errors
    assert told.count("writing the ONNX file") == 1
    assert "left out: openvino bf16: it is too old" in told
    content = json.loads(results.read_text())
    assert set(content["left_out"]) == {"openvino bf16", "onnxruntime bf16"}
    found = [
        (one["runtime"], one["conditions"]["precision"], one["conditions"]["batch"])
        for one in content["results"]
    ]
    of_fp32 = [(name, "fp32", batch) for batch in (1, 2) for name in ("torch", *RUNTIMES)]
    assert found == [*of_fp32, ("torch", "bf16", 1), ("torch", "bf16", 2)]
    for one in content["results"]:
        assert set(one["parts"]) == {"preprocessing", "network", "postprocessing"}
        assert all(time > 0 for part in one["parts"].values() for time in part["times"])
        added = map(sum, zip(*(part["times"] for part in one["parts"].values()), strict=True))
        assert list(added) == pytest.approx(one["times"])
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["mode"], row["precision"], int(row["batch_size"])) for row in rows] == found
    assert all(float(row["network_ms"]) > 0 for row in rows)


def test_torch_alone_needs_no_file_and_says_that_weights_are_drawn(config, capsys):
    status, told, errors = status_of(capsys, "benchmark", config, *SMALL)
    assert status == 0, errors
    assert "writing" not in told
    assert "without a checkpoint" in told
    assert told.count("postprocessing") >= 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--models swin_t --tasks eval", "leave out --models, --tasks"),
        ("--target", "leave out --target"),
        ("--device cuda --channels 4", "leave out --device cuda, --channels 4"),
        ("--precisions fp16", "--precisions of a CONFIG are fp32, bf16, not {'fp16'}"),
        ("--onnx x.onnx", "--onnx x.onnx is for --runtimes onnxruntime openvino"),
        ("--onnx x.onnx --runtimes openvino", "there is no file x.onnx"),
        ("--runtimes onnxruntime --precisions bf16", "nothing to measure: ONNX Runtime computes"),
    ],
)
def test_options_that_would_be_ignored_are_refused(options, message, config, capsys):
    status, _, errors = status_of(capsys, "benchmark", config, *options.split())
    assert status == 2
    assert message in errors
