"""``mmfastervit errors``: the report agrees with the evaluator, and what is no test is refused."""

import re
from pathlib import Path

import pytest
import support.noisy_truth  # noqa: F401  # registers the models
import torch
from support.little_runs import TASKS, draw, little_run, quicken, written

from mmfastervit.commands import main

MODEL = {"det": "NoisyBoxes", "seg": "NoisyMaps"}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("errors")
    draw(folder)
    torch.save(dict(state_dict=dict(weight=torch.zeros(1))), folder / "model.pth")
    return folder


@pytest.fixture
def config(data, tmp_path, monkeypatch):
    """Write the config of a task, changed by a function."""
    monkeypatch.chdir(tmp_path)
    quicken(monkeypatch)

    def write(task: str, change=lambda content: None) -> str:
        content = little_run(task, data)
        model = content["model"]
        content["model"] = dict(
            type=f"mmengine.{MODEL[task]}", data_preprocessor=model["data_preprocessor"]
        )
        change(content)
        return str(written(content, tmp_path / f"{task}.py"))

    return write


def status_of(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main("errors", list(map(str, arguments)))
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


def value_of(metric: str, page: str) -> float:
    """A metric as its table has it."""
    return float(re.search(rf">{metric}</th><td>([\d.]+)", page)[1])


def test_the_report_on_a_detector_agrees_with_cocos_evaluator(config, data, capsys):
    out = Path("report.html")
    status, printed, error = status_of(capsys, config("det"), data / "model.pth", "--out", out)
    assert status == 0, error
    assert printed.endswith("report.html\n")
    page = out.read_text()
    ours = float(re.search(r"at an IoU of 0.5 is (\d\.\d+)", page)[1])
    assert 0.1 < ours < 0.9
    assert ours == pytest.approx(value_of("coco/bbox_mAP_50", page), abs=1.1e-3)
    assert page.count("<img") == 4  # two pictures, each twice
    assert "circle" in page


def test_the_report_on_a_segmentor_agrees_with_mmsegs_evaluator(config, data, capsys):
    out = Path("report.html")
    status, _, error = status_of(capsys, config("seg"), data / "model.pth", "--out", out)
    assert status == 0, error
    page = out.read_text()
    ours = float(re.search(r"Mean IoU (\d\.\d+)", page)[1])
    assert 0.1 < ours < 0.9
    assert 100 * ours == pytest.approx(value_of("mIoU", page), abs=0.06)
    assert page.count("<img") == 6


def test_data_without_labels_are_status_2(config, data, capsys):
    def drop_objects(content: dict) -> None:
        import json

        labelled = json.loads((data / "shapes/instances_val.json").read_text())
        Path("none.json").write_text(json.dumps(dict(labelled, annotations=[])))
        content["test_dataloader"]["dataset"]["ann_file"] = str(Path("none.json").resolve())

    arguments = (config("det", drop_objects), data / "model.pth", "--out", "x.html", "--no-check")
    status, _, error = status_of(capsys, *arguments)
    assert status == 2
    assert "have no labelled boxes" in error
    assert not Path("x.html").exists()


def test_a_sample_that_does_not_name_its_file_is_status_2(config, data, capsys):
    def drop_path(content: dict) -> None:
        content["test_dataloader"]["dataset"]["pipeline"][-1]["meta_keys"] = ["img_id", "ori_shape"]

    arguments = (config("det", drop_path), data / "model.pth", "--out", "x.html")
    status, _, error = status_of(capsys, *arguments)
    assert status == 2
    assert "'img_path' is missing in meta_keys" in error


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "x.txt"], "end its name in .html"),
        (["--out", "none/x.html"], "there is no folder none"),
        (["--out", "x.html", "--score", "30"], "--score takes a number from 0 to 1, not 30"),
        (
            ["--out", "x.html", "--cfg-options", "test_dataloader=None"],
            "it has no test_dataloader",
        ),
        (["--out", "x.html", "--cfg-options", "default_scope=mmpretrain"], "not for 'mmpretrain'"),
    ],
)
def test_a_mistake_is_status_2_before_anything_runs(config, data, task, arguments, message, capsys):
    status, _, error = status_of(capsys, config(task), data / "model.pth", *arguments)
    assert status == 2
    assert message in error
    assert not list(Path().glob("*.html")) + list(Path().glob("work_dirs"))


def test_a_checkpoint_of_another_model_is_status_2(config, data, capsys):
    torch.save(dict(state_dict=dict(other=torch.zeros(1))), "other.pth")
    status, _, error = status_of(capsys, config("det"), "other.pth", "--out", "x.html")
    assert status == 2
    assert "other.pth" in error
    assert not Path("x.html").exists()
