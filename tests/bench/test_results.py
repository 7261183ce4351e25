"""Results are written whole, and rows are in the columns of timm's benchmark."""

import csv
import json

import pytest

from mmfastervit.bench.cases import Case, Conditions, Result
from mmfastervit.bench.results import COLUMNS, row, write_csv, write_json

OF_TIMM = "model,img_size,batch_size,infer_samples_per_sec,infer_step_time,infer_gmacs"


def result(task: str = "eval", **changes) -> Result:
    """A result of eight images in a quarter of a second."""
    case = Case("fastervit_2", "deploy", Conditions(task, "fp16", (800, 1280), 8))
    measured = dict(
        seconds=0.25, spread=0.01234, images_per_second=32.0, gflops=160.0, share=0.5,
        matrix_rate=1280.0, ratio=None, attention=("flash", "math"), kinds={}, times=(0.25,),
        parameters=75_000_000,
    )  # fmt: skip
    return Result(case, **measured | changes)


def test_rows_are_in_the_columns_of_timm(tmp_path):
    write_csv(tmp_path / "r.csv", [result(), result("train", ratio=1.5, memory=99.96)])
    lines = (tmp_path / "r.csv").read_text().splitlines()
    assert lines[0].startswith(f"{OF_TIMM},train_samples_per_sec,train_step_time,param_count,")
    inference, training = csv.DictReader(lines)
    assert inference["model"] == "fastervit_2"
    assert (inference["img_size"], inference["height"], inference["width"]) == (
        "1280", "800", "1280",
    )  # fmt: skip
    assert float(inference["infer_samples_per_sec"]) == 32
    assert float(inference["infer_step_time"]) == 250  # ms
    assert float(inference["infer_gmacs"]) == 10  # of one image, a multiply-add counted once
    assert float(inference["param_count"]) == 75
    assert inference["train_samples_per_sec"] == inference["ratio"] == ""
    assert inference["attention"] == "flash math"
    assert float(training["train_samples_per_sec"]) == 32
    assert training["infer_samples_per_sec"] == training["infer_gmacs"] == ""
    assert (training["ratio"], training["peak_memory_mib"]) == ("1.5", "100.0")


def test_every_column_of_a_row_is_written():
    assert {*row(result()), *row(result("train"))} == set(COLUMNS)


def test_writing_keeps_a_link(tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "r.json")
    write_json(tmp_path / "link.json", {"a": 1})
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "r.json").read_text()) == {"a": 1}


def test_a_write_that_fails_leaves_the_file_before(tmp_path):
    write_json(tmp_path / "r.json", {"a": 1})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(tmp_path / "r.json", {"a": object()})
    assert json.loads((tmp_path / "r.json").read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]
