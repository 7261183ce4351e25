"""The command as a user runs it, and what the stock train.py of mmdet makes of the file."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmfastervit import FasterViT
from mmfastervit.commands import main
from mmfastervit.commands import swap as command
from mmfastervit.convert import convert
from mmfastervit.datasets.shapes import write_dataset
from mmfastervit.swap import SwapAuditError

RETINANET = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"


def run(*arguments, cwd: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-W", "ignore", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ended(capsys, *arguments) -> tuple[int, str, str]:
    """Exit status and output of ``mmfastervit swap ARGUMENTS``, without a process of its own."""
    with pytest.raises(SystemExit) as exit:
        main("swap", [str(word) for word in (*arguments, "--arch", "fastervit_0")])
    printed = capsys.readouterr()
    return exit.value.code, printed.out, printed.err


def published_weights(folder: Path) -> Path:
    """A file like those of the hub, with drawn weights."""
    own, published = folder / "own.pth", folder / "fastervit_0_224_1k.pth.tar"
    torch.save(FasterViT("fastervit_0").state_dict(), own)
    convert(str(own), str(published), arch="fastervit_0")
    return published


@pytest.mark.slow
def test_stock_train_py_runs_the_file_from_another_folder_with_published_weights(folder, capsys):
    weights = published_weights(folder)
    arguments = (RETINANET, "--out", "mine.py", "--pretrained", weights)
    status, printed, error = ended(capsys, *arguments)
    assert status == 0, error
    assert "model.neck.in_channels: [256, 512, 1024, 2048] -> [128, 256, 512]" in printed

    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    write_dataset(elsewhere / "data", train=2, val=2, size=64, seed=0)
    stock = Path(importlib.util.find_spec("mmdet").origin).parent / ".mim/tools/train.py"
    options = [
        "train_cfg.max_epochs=1", "train_dataloader.num_workers=0",
        "train_dataloader.persistent_workers=False", "val_dataloader.num_workers=0",
        "val_dataloader.persistent_workers=False", "train_dataloader.dataset.data_root=data/",
        "train_dataloader.dataset.ann_file=instances_train.json",
        "train_dataloader.dataset.data_prefix.img=images/training/",
        "train_dataloader.dataset.filter_cfg.min_size=1",
        "val_dataloader.dataset.data_root=data/",
        "val_dataloader.dataset.ann_file=instances_val.json",
        "val_dataloader.dataset.data_prefix.img=images/validation/",
        "val_evaluator.ann_file=data/instances_val.json", "default_hooks.logger.interval=1",
        "train_dataloader.dataset.metainfo.classes=('circle','square','triangle')",
        "val_dataloader.dataset.metainfo.classes=('circle','square','triangle')",
        "train_dataloader.dataset.pipeline.2.scale=(64,64)",
        "val_dataloader.dataset.pipeline.1.scale=(64,64)",
    ]  # fmt: skip
    trained = run(stock, folder / "mine.py", "--cfg-options", *options, cwd=elsewhere)
    log = trained.stdout + trained.stderr
    assert trained.returncode == 0, log[-3000:]
    assert re.search(f"{re.escape(str(weights))}: .*fastervit_0.* parameters loaded", log)
    assert (elsewhere / "work_dirs/mine/epoch_1.pth").is_file()


def test_list_shows_what_depends_on_the_backbone_and_writes_nothing(folder, capsys):
    status, shown, _ = ended(capsys, RETINANET, "--list")
    assert status == 0
    for part in ("model.backbone\n", "model.neck\n", "optim_wrapper\n", "non-commercial"):
        assert part in shown
    unaffected = next(line for line in shown.splitlines() if line.startswith("not affected"))
    assert "model.bbox_head" in unaffected
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "mine.py", "--backbone-options", "drop_path=0.1"], "drop_path_rate"),
        (["--out", "mine.txt"], ".py"),
        (["--out", "mine.py", "--pretrained", "mmfastervit://fastervit_1_224_1k"], "not fit"),
        (["--out", "mine.py", "--list"], "--list writes nothing"),
        ([], "--out FILE.py"),
        (["--list", "--backbone-options", "drop_path_rate=abc"], "FasterViT can't be built"),
    ],
)
def test_mistakes_are_named_and_leave_no_file(folder, capsys, options, message):
    status, _, error = ended(capsys, RETINANET, *options)
    assert status == 2
    assert message in error
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["mine.py", "base.py", "link.py"])
def test_force_never_replaces_a_file_that_the_original_is_read_from(folder, capsys, name):
    Path("base.py").write_text(f"_base_ = {RETINANET!r}\n")
    Path("mine.py").write_text("_base_ = ['base.py']\n")
    Path("link.py").symlink_to("base.py")
    before = Path(name).read_text()
    status, _, error = ended(capsys, "mine.py", "--out", name, "--force")
    assert status == 2
    assert "the original is read from this file" in error
    assert Path(name).read_text() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "load_from = dict(a=1)",
            r"mine\.py: load_from is a dict, and None in its base.*load_from=dict\(_delete_=True",
        ),
        ("model = dict(", "mmengine can't read the config mine.py: SyntaxError"),
        ("model = dict(neck=dict(num_outs=1))", "the neck FPN .* after ResNet .* AssertionError"),
        ("model = dict(backbone=dict(depth=51))", "the backbone ResNet .*: KeyError"),
    ],
)
def test_a_config_that_does_not_work_is_an_error_that_says_where(folder, capsys, text, message):
    Path("mine.py").write_text(f"_base_ = {RETINANET!r}\n{text}\n")
    status, _, error = ended(capsys, "mine.py", "--list")
    assert status == 2
    assert re.search(message, error)


def test_a_result_that_is_wrong_ends_with_one_line_and_is_not_written(folder, capsys, monkeypatch):
    def find(swap):
        raise SwapAuditError("the neck reads another map")

    monkeypatch.setattr(command, "audit", find)
    status, _, error = ended(capsys, RETINANET, "--out", "mine.py")
    assert status == 1
    assert error.endswith("error: the neck reads another map\n")
    assert list(folder.iterdir()) == []


def test_check_opens_the_file_that_is_named(folder, capsys):
    torch.save(dict(state_dict={"stem.conv1.weight": torch.ones(1)}), "half.pth")
    status, _, error = ended(capsys, RETINANET, "--pretrained", "half.pth", "--check")
    assert status == 2
    assert "half.pth does not fit this FasterViT" in error
    assert len(error.splitlines()) == 1
