"""The command as a user runs it, and what the stock train.py of mmdet makes of the file."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmfastervit.swap.command import swap_command

from mmfastervit import FasterViT
from mmfastervit.config.files import base_name
from mmfastervit.convert import convert
from mmfastervit.datasets.shapes import write_dataset

ROOT = Path(__file__).resolve().parents[2]
RETINANET = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"


def run(*arguments, cwd: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-W", "ignore", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def swap(*arguments, cwd: Path) -> subprocess.CompletedProcess:
    tool = ROOT / "tools/swap_backbone.py"
    return run(tool, RETINANET, "--arch", "fastervit_0", *arguments, cwd=cwd)


def published_weights(folder: Path) -> Path:
    """A file like those of the hub, with drawn weights."""
    own, published = folder / "own.pth", folder / "fastervit_0_224_1k.pth.tar"
    torch.save(FasterViT("fastervit_0").state_dict(), own)
    convert(str(own), str(published), arch="fastervit_0")
    return published


def test_stock_train_py_runs_the_file_from_another_folder_with_published_weights(tmp_path):
    weights = published_weights(tmp_path)
    written = swap("--out", "mine.py", "--pretrained", weights, cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    assert "model.neck.in_channels: [256, 512, 1024, 2048] -> [128, 256, 512]" in written.stdout

    elsewhere = tmp_path / "elsewhere"
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
    trained = run(stock, tmp_path / "mine.py", "--cfg-options", *options, cwd=elsewhere)
    log = trained.stdout + trained.stderr
    assert trained.returncode == 0, log[-3000:]
    assert re.search(f"{re.escape(str(weights))}: .*fastervit_0.* parameters loaded", log)
    assert (elsewhere / "work_dirs/mine/epoch_1.pth").is_file()


def test_list_shows_what_depends_on_the_backbone_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = swap_command(RETINANET, "fastervit_0", list_only=True, backbone_options={})
    for part in ("model.backbone\n", "model.neck\n", "optim_wrapper\n", "non-commercial"):
        assert part in shown
    unaffected = next(line for line in shown.splitlines() if line.startswith("not affected"))
    assert "model.bbox_head" in unaffected
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(backbone_options=dict(drop_path=0.1)), "drop_path_rate"),
        (dict(out="mine.txt"), ".py"),
        (dict(pretrained="mmfastervit://fastervit_1_224_1k"), "does not fit"),
    ],
)
def test_mistakes_are_named_and_leave_no_file(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    options = {"out": "mine.py", "backbone_options": {}, **options}
    with pytest.raises(ValueError, match=message):
        swap_command(RETINANET, "fastervit_0", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mine.py", "base.py", "link.py"])
def test_force_never_replaces_a_file_that_the_original_is_read_from(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("base.py").write_text(f"_base_ = {RETINANET!r}\n")
    Path("mine.py").write_text("_base_ = ['base.py']\n")
    Path("link.py").symlink_to("base.py")
    before = Path(name).read_text()
    with pytest.raises(ValueError, match="the original is read from this file"):
        swap_command("mine.py", "fastervit_0", out=name, force=True, backbone_options={})
    assert Path(name).read_text() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("load_from = dict(a=1)", "mmengine can't read the config mine.py: TypeError"),
        ("model = dict(", "mmengine can't read the config mine.py: SyntaxError"),
        ("model = dict(neck=dict(num_outs=1))", "the neck FPN .* after ResNet .* AssertionError"),
        ("model = dict(backbone=dict(depth=51))", "the backbone ResNet .*: KeyError"),
    ],
)
def test_a_config_that_does_not_work_is_an_error_that_says_where(
    tmp_path, monkeypatch, text, message
):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(f"_base_ = {RETINANET!r}\n{text}\n")
    with pytest.raises(ValueError, match=message):
        swap_command("mine.py", "fastervit_0", list_only=True, backbone_options={})


def test_an_option_of_a_wrong_kind_ends_with_one_line(tmp_path):
    failed = swap("--list", "--backbone-options", "drop_path_rate=abc", cwd=tmp_path)
    assert failed.returncode == 2
    assert "the backbone FasterViT can't be built" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_result_that_is_wrong_ends_with_one_line(tmp_path):
    command = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'tools')!r}); import swap_backbone as tool; "
        "from mmfastervit.swap import SwapAuditError\n"
        "def fail(**_): raise SwapAuditError('the neck reads another map')\n"
        "tool.swap_command = fail; tool.main()"
    )
    options = (RETINANET, "--arch", "fastervit_0", "--list")
    failed = run("-c", command, *options, cwd=tmp_path)
    assert failed.returncode == 2
    assert failed.stderr.strip().endswith("error: the neck reads another map")
    assert "Traceback" not in failed.stderr


def test_a_command_that_would_do_nothing_ends_with_a_message(tmp_path):
    failed = swap(cwd=tmp_path)
    assert failed.returncode == 2
    assert "--out" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_base_is_the_zoos_name_or_a_relative_path(tmp_path):
    target = tmp_path / "configs" / "mine.py"
    target.parent.mkdir()
    original = tmp_path / "original.py"
    original.write_text("model = dict()\n")
    assert base_name(original, target) == "../original.py"
    assert base_name(RETINANET, target) == RETINANET
