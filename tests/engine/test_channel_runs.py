"""Runs on pictures that are not RGB, by the configs of docs/own-data.md, on top of little ones."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from support.little_runs import SIZE, draw, little_run, quicken
from support.pages import ROOT, blocks

from mmfastervit.config.source import render
from mmfastervit.engine import options
from mmfastervit.engine.preflight import check_data, check_inputs

BLOCKS = {
    block.note.removeprefix("config: "): block.text
    for block in blocks(ROOT / "docs/own-data.md", "python")
    if block.note.startswith("config: ")
}


def base(task: str, folder: Path, suffix: str) -> dict:
    """The little run with the names that the templates have."""
    content = little_run(task, folder)
    train, test = (content[f"{part}_dataloader"]["dataset"] for part in ("train", "test"))
    content["train_pipeline"], content["test_pipeline"] = train["pipeline"], test["pipeline"]
    content["tta_pipeline"] = test["pipeline"]
    if task == "seg":
        distortion = dict(type="PhotoMetricDistortion")
        content["train_pipeline"] = [*train["pipeline"][:-1], distortion, train["pipeline"][-1]]
        for part in ("train", "val", "test"):
            content[f"{part}_dataloader"]["dataset"]["img_suffix"] = suffix
    return content


def repaint(folder: Path, suffix: str, channels: int, dtype: type) -> None:
    """Replace the drawn pictures by others of these channels and this depth."""
    shape = (SIZE, SIZE) if channels == 1 else (SIZE, SIZE, channels)
    high = np.iinfo(dtype).max + 1
    for number, path in enumerate(sorted((folder / "shapes/images").rglob("*.jpg"))):
        values = np.random.default_rng(number).integers(0, high, shape).astype(dtype)
        assert cv2.imwrite(str(path.with_suffix(suffix)), values)
        path.unlink()
    for file in (folder / "shapes").glob("instances_*.json"):
        file.write_text(file.read_text().replace(".jpg", suffix))


@pytest.mark.parametrize(
    ("task", "suffix", "dtype"),
    [
        ("seg", ".png", np.uint16),
        ("seg", ".tif", np.uint16),
        ("det", ".png", np.uint8),
        ("det", ".tif", np.uint16),
    ],
)
def test_a_config_of_the_page_trains_and_tests(task, suffix, dtype, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quicken(monkeypatch)
    draw(tmp_path)
    channels = dict(seg=1, det=4)[task]
    repaint(tmp_path, suffix, channels, dtype)
    text = "".join(f"{k} = {render(v, 0)}\n" for k, v in base(task, tmp_path, suffix).items())
    Path("cells.py").write_text(text)
    Path("mine.py").write_text(BLOCKS[task])
    cfg = options.load_config("mine.py", {}, "work")
    if dtype == np.uint16:  # uniform values: their mean and deviation
        values = dict(mean=[32767.5] * channels, std=[18918.6] * channels)
        cfg.model.data_preprocessor.update(values)
    cfg.experiment_name = f"{task}{suffix}{dtype.__name__}"
    check_inputs(cfg, "train")
    check_data(cfg, "train")
    runner = options.build_runner(cfg)
    seen = []
    runner.model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    runner.train()
    runner.test()
    assert len(seen) >= 2, "it trained and tested"
    for images in seen:
        assert images.dtype == torch.float32
        assert images.shape[1:] == (channels, SIZE, SIZE)
        if dtype == np.uint16:
            assert abs(images.mean()) < 0.05
            assert abs(images.std() - 1) < 0.05


def test_both_tasks_have_a_config_on_the_page():
    assert set(BLOCKS) == {"det", "seg"}
