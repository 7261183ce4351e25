"""``test`` and ``infer`` with a file in the place of the checkpoint: the same comes out."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.answers import status_of
from support.exported import KINDS, data_of, file_of, on_data
from support.little_runs import quicken
from support.opened import checkpoint_of

import mmfastervit

RUNTIMES = ("onnxruntime", "openvino")
METRICS = {"mask": ("coco/bbox_mAP", "coco/segm_mAP"), "seg": ("mIoU", "aAcc")}
LARGEST = {"mask": 1.0, "seg": 100.0}  # of a metric


@pytest.fixture(scope="module", autouse=True)
def files() -> dict[str, Path]:
    """Made before mmengine runs, after which torch logs each step of an export to pytest."""
    return {kind: file_of(kind) for kind in KINDS}


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Write the config of a kind, changed by a function, into the working directory."""
    monkeypatch.chdir(tmp_path)
    quicken(monkeypatch)

    def write(kind: str, change=lambda content: None, **options) -> str:
        content = on_data(kind, **options)
        change(content)
        path = tmp_path / f"{kind}.py"
        path.write_text("".join(f"{key} = {value!r}\n" for key, value in content.items()))
        return str(path)

    return write


def metrics_of(capsys, *words) -> dict[str, float]:
    """What a test of these words measures."""
    status, printed, error = status_of(capsys, "test", *map(str, words), "--work-dir", "runs")
    assert status == 0, printed + error
    newest = max(Path("runs").rglob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(newest.read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_the_metrics_are_those_of_torch(kind, config, capsys):
    path = config(kind)
    torchs = metrics_of(capsys, path, checkpoint_of(kind))
    for name in METRICS[kind]:
        assert 0.1 < torchs[name] / LARGEST[kind] < 0.95
    for runtime in RUNTIMES:
        ours = metrics_of(capsys, path, "--model", file_of(kind), "--runtime", runtime)
        for name in METRICS[kind]:
            assert ours[name] == pytest.approx(torchs[name], abs=1e-3 * LARGEST[kind]), runtime


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_is_found_and_drawn(kind, config, capsys):
    path = config(kind)
    pictures = sorted((data_of(kind) / "images").iterdir())
    words = [*map(str, pictures), "--config", path, "--batch-size", "2"]
    models = {"torch": ["--checkpoint", checkpoint_of(kind), "--device", "cpu"]}
    for runtime in RUNTIMES:
        models[runtime] = ["--model", str(file_of(kind)), "--runtime", runtime]
    for name, model in models.items():
        status, _, error = status_of(capsys, "infer", *words, *model, "--out", name)
        assert status == 0, error
    for name in RUNTIMES:
        for picture in pictures:
            ours, torchs = (
                np.asarray(Image.open(Path(out, "pictures", f"{picture.stem}.jpg")), float)
                for out in (name, "torch")
            )
            assert np.abs(ours - torchs).mean() < 0.5, name
    if kind == "mask":
        torchs = json.loads(Path("torch/predictions.json").read_text())
        for name in RUNTIMES:
            ours = json.loads(Path(name, "predictions.json").read_text())
            assert ours["images"] == torchs["images"]
            for one, other in zip(ours["annotations"], torchs["annotations"], strict=True):
                assert one["category_id"] == other["category_id"]
                assert one["bbox"] == pytest.approx(other["bbox"], abs=0.02)
                assert one["score"] == pytest.approx(other["score"], abs=1e-4)


def test_from_python_a_file_predicts_what_the_model_does(config):
    path, picture = config("mask"), str(data_of("mask") / "images/1.png")
    torchs = mmfastervit.load(path, checkpoint_of("mask"), score_thr=0.0).predict(picture)
    for runtime in (None, *RUNTIMES):
        for checkpoint in (None, checkpoint_of("mask")):
            model = mmfastervit.load(
                path, checkpoint, runtime=runtime, model=file_of("mask"), score_thr=0.0
            )
            found = model.predict(picture)
            assert np.abs(found.boxes - torchs.boxes).max() < 1e-2
            assert (found.masks == torchs.masks).mean() > 0.999
            assert found.names == torchs.names


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_is_near_but_not_the_same(kind, config):
    """On pictures of random weights; that metrics hold is for trained ones to show."""
    path, picture = config(kind), str(data_of(kind) / "images/2.png")
    checkpoint = checkpoint_of(kind)
    exact = mmfastervit.load(path, checkpoint, score_thr=0.0)
    coarse = mmfastervit.load(path, checkpoint, score_thr=0.0, precision="bf16")
    found, wanted = coarse.predict(picture), exact.predict(picture)
    if kind == "seg":
        assert (found.labels == wanted.labels).mean() > 0.9
        return
    largest = np.abs(found.scores - wanted.scores).max()
    assert 0 < largest < 0.2
    assert found.boxes.dtype == found.scores.dtype == np.float32


def rename(content: dict) -> None:
    content["test_dataloader"]["dataset"]["metainfo"]["classes"] = ("square", "circle", "triangle")


def rescale(content: dict) -> None:
    content["test_dataloader"]["dataset"]["pipeline"][1]["scale"] = (72, 72)


def raise_threshold(content: dict) -> None:
    content["model"]["test_cfg"]["rcnn"]["score_thr"] = 0.5


@pytest.mark.parametrize(
    ("words", "change", "message"),
    [
        (["--model", "{mask}"], rename, "made for the classes circle, square, triangle, and"),
        (["--model", "{mask}"], raise_threshold, "test_cfg.rcnn.score_thr is 0.0 there and 0.5"),
        (["--model", "{seg}"], None, "was made"),
        (["--model", "no.onnx"], None, "there is no file no.onnx"),
        (["--model", "{checkpoint}"], None, "is no ONNX file"),
        (["--model", "{mask}", "--runtime", "torch"], None, "leave out --runtime torch, or take"),
        (["--model", "{mask}", "--precision", "bf16"], None, "ONNX Runtime computes a file in"),
        (["--model", "{mask}", "--deploy"], None, "--deploy is for checkpoints"),
        (["--runtime", "openvino"], None, "name it by --model FILE.onnx"),
        ([], None, "name a checkpoint, or by --model a file"),
    ],
)
@pytest.mark.parametrize("command", ["test", "infer"])
def test_what_is_wrong_with_a_file_is_one_line(command, words, change, message, config, capsys):
    path = config("mask", change or (lambda content: None))
    names = dict(mask=file_of("mask"), seg=file_of("seg"), checkpoint=checkpoint_of("mask"))
    words = [word.format(**names) for word in words]
    asked = ["test", path, "--no-check"]
    if command == "infer":
        asked = ["infer", str(data_of("mask") / "images"), "--config", path, "--out", "out"]
    status, _, error = status_of(capsys, *asked, *words)
    assert status == 2
    assert message in error
    assert error.count("\n") == 1
    assert not Path("out").exists()


def test_a_picture_that_does_not_fit_is_told(config, capsys):
    path, images = config("mask", rescale), str(data_of("mask") / "images")
    model = ["--model", str(file_of("mask"))]
    status, _, error = status_of(capsys, "test", path, *model)
    assert status == 1
    assert re.search(r"images/\d.png: it is 72x72", error)
    assert "takes 64x64 alone, and smaller ones" in error
    status, _, error = status_of(capsys, "infer", images, "--config", path, *model, "--out", "out")
    assert status == 1
    assert "4 could not be predicted on" in error
    assert "it is 72x72" in error


@pytest.mark.parametrize("option", ["--tta", "--allow-partial", "--launcher=pytorch"])
def test_what_a_file_can_not_do_in_a_test_is_told(option, config, capsys):
    status, _, error = status_of(
        capsys, "test", config("mask"), "--model", str(file_of("mask")), option
    )
    assert status == 2
    assert f"{option.partition('=')[0]} is for checkpoints" in error


def test_a_runtime_that_is_not_there_is_told_before_anything_is_read(config, capsys, monkeypatch):
    monkeypatch.setattr("mmfastervit.runtimes.running.find_spec", lambda package: None)
    words = ["--model", "no.onnx", "--runtime", "openvino"]
    status, _, error = status_of(capsys, "test", config("mask"), *words)
    assert status == 2
    assert "OpenVINO is not installed: pip install 'mmfastervit[openvino]'" in error


def test_from_python_what_does_not_go_together_is_told(config):
    path, file = config("mask"), file_of("mask")
    for options, message in (
        (dict(runtime="openvino"), "runtime='openvino' runs a file: give model="),
        (dict(model=file, runtime="torch"), "run by onnxruntime and openvino, not by 'torch'"),
        (dict(model=file, device="cuda"), "run on the processor"),
        (dict(model=file, deploy=True), "run on the processor"),
        (dict(model=file, tile=(64, 64), precision="bf16"), "no switch for bfloat16"),
    ):
        with pytest.raises(ValueError, match=message):
            mmfastervit.load(path, **options)
