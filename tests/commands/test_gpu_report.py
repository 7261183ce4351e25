"""The report of a GPU, tried out on the CPU: its options, and the files that it writes."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.answers import status_of
from support.small_benchmark import build

from mmfastervit.commands import gpu_report

ROOT = Path(__file__).resolve().parents[2]
TRIAL = [
    "--device",
    "cpu",
    "--shrink",
    "16",
    "--modes",
    "eager",
    "deploy",
    "--rounds",
    "1",
    "--minutes",
    "60",
]
WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"mmcv", "mmdet", "mmseg", "mmpretrain"}:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
sys.path = [place for place in sys.path if place != ROOT]
sys.argv = [TOOL, *sys.argv[1:]]
import runpy
runpy.run_path(TOOL, run_name="__main__")
"""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--device cpu", "make images smaller by --shrink 16"),
        ("--device cpu --shrink 0", "--shrink takes at least 1, not 0"),
        ("--minutes 0 --device cpu --shrink 8", "--minutes takes at least 0.01, not 0.0"),
        ("--minutes nan --device cpu --shrink 8", "--minutes takes at least 0.01, not nan"),
        ("--rounds 0", "--rounds takes at least 1, not 0"),
        ("--models swin_v2", "invalid choice: 'swin_v2'"),
        ("--modes deployed", "invalid choice: 'deployed'"),
        ("--out file", "--out file: file is a file; name a folder"),
    ],
)
def test_a_mistake_is_told(options, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    status, _, error = status_of(capsys, "gpu-report", *options.split())
    assert status == 2
    assert message in error
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_without_a_gpu_the_way_to_try_it_out_is_told(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    status, _, error = status_of(capsys, "gpu-report")
    assert status == 2
    assert "torch finds no GPU here" in error
    assert "--device cpu --shrink 16" in error


def table_rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its first two lines."""
    section = re.split(rf"^## {heading}.*$", text, maxsplit=1, flags=re.M)[1].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_a_trial_writes_every_file_and_claims_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_report, "build", small_or_missing)
    models = ["--models", "fastervit_2", "swin_t", "upstream_fastervit_2", "--precisions", "fp32"]
    out = tmp_path / "new" / "report"
    status, printed, _ = status_of(capsys, "gpu-report", *TRIAL, *models, "--out", str(out))
    assert status == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "gpu_report.csv", "gpu_report.json", "gpu_report.md",
    ]  # fmt: skip

    content = json.loads((out / "gpu_report.json").read_text())
    results = [one["result"] for one in content["outcomes"] if one["result"]]
    assert {one["case"]["model"] for one in results} == {"fastervit_2", "fastervit_2+cp", "swin_t"}
    assert {one["case"]["conditions"]["task"] for one in results} == {"eval", "train"}
    assert {one["verdict"] for one in content["goals"]} == {"not measured"}
    assert content["trial"] == "this was a trial on a CPU"
    assert content["machine"]["torch"] == torch.__version__
    assert content["paddings"]
    assert (content["left_out"], content["stopped"]) == ([], "")

    with (out / "gpu_report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(results)
    for row, result in zip(rows, results, strict=True):
        task = {"eval": "infer", "train": "train"}[result["case"]["conditions"]["task"]]
        rate = float(row[f"{task}_samples_per_sec"])
        assert rate == pytest.approx(result["images_per_second"], abs=0.01)
        assert float(row["peak_memory_mib"]) > 0

    page = (out / "gpu_report.md").read_text()
    assert "**No figures: this was a trial on a CPU.**" in page
    assert f"torch {torch.__version__}" in page
    assert {row[-1] for row in table_rows(page, "Goals")} == {"not measured"}
    assert len(table_rows(page, "Inference, 50x80")) == sum(
        one["case"]["conditions"]["size"] == [50, 80]
        and one["case"]["conditions"]["task"] == "eval"
        for one in results
    )
    assert table_rows(page, "Whether padding pays")
    ((why, what),) = table_rows(page, "Not measured")
    assert why == "ModuleNotFoundError: not installed"
    assert "`upstream_fastervit_2:eager` (eval fp32 50x80 batch 2)" in what
    assert "not measured  throughput of fastervit_2 over swin_t (eval fp16 800x1280" in printed


def small_or_missing(name, size):
    """A small model for each name, but for the reference implementation, which is not there."""
    if name.startswith("upstream"):
        raise ModuleNotFoundError("not installed")
    return build(name, size)


def test_where_nothing_can_be_measured_the_status_says_so(capsys, tmp_path, monkeypatch):
    def fail(name, size):
        raise RuntimeError("no model")

    monkeypatch.setattr(gpu_report, "build", fail)
    models = ["--models", "swin_t", "--precisions", "fp32"]
    status, printed, _ = status_of(capsys, "gpu-report", *TRIAL, *models, "--out", str(tmp_path))
    assert status == 1
    assert "swin_t:eager" in printed
    assert "not measured: RuntimeError: no model" in printed
    assert "RuntimeError: no model" in (tmp_path / "gpu_report.md").read_text()


@pytest.mark.slow
def test_a_checkout_needs_nothing_of_openmmlab_but_mmengine(tmp_path):
    """As on a machine where neither mmcv nor the task libraries nor this package are installed."""
    tool = str(ROOT / "tools" / "gpu_report.py")
    script = f"ROOT, TOOL = {str(ROOT)!r}, {tool!r}\n{WITHOUT}"
    models = ["--models", "fastervit_0", "swin_t", "--precisions", "fp32", "--minutes", "0.5"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *TRIAL, *models, "--out", "report"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "report" / "gpu_report.json").read_text())
    measured = {one["case"]["model"] for one in content["outcomes"] if one["result"]}
    assert measured >= {"fastervit_0", "swin_t"}
    assert {one["trouble"] for one in content["outcomes"]} == {""}
