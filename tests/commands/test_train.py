"""The tools as a user runs them: both tasks trained and evaluated on generated data."""

import pickle
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.fileio import load
from support.lasting import assert_ended_alike

from mmfastervit.commands import build_parser, train
from mmfastervit.datasets.shapes import write_dataset

ROOT = Path(__file__).resolve().parents[2]
DET = ROOT / "configs/det/cascade-mask-rcnn_fastervit-0_fpn_shapes.py"
SEG = ROOT / "configs/seg/upernet_fastervit-0_shapes-256x256.py"
SMALL = {
    DET: ["train_cfg.max_epochs=1", "default_hooks.checkpoint.interval=1"],
    SEG: [
        "train_cfg.max_iters=2",
        "train_cfg.val_interval=2",
        "default_hooks.checkpoint.interval=2",
    ],
}
CHECKPOINT = {DET: "epoch_1.pth", SEG: "iter_2.pth"}
METRIC = {DET: "coco/bbox_mAP_50", SEG: "mIoU"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working folder with a tiny data set where the configs look for it."""
    path = tmp_path_factory.mktemp("run")
    write_dataset(path / "data/shapes", train=4, val=2, size=64, seed=0)
    return path


def run(tool: str, *arguments, cwd: Path) -> str:
    command = [sys.executable, "-W", "ignore", str(ROOT / "tools" / tool), *map(str, arguments)]
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout + result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("config", [DET, SEG], ids=["detector", "segmentor"])
def test_trains_then_tests_with_pictures_and_predictions(folder, config):
    options = ["--cfg-options", *SMALL[config], "train_dataloader.num_workers=0",
               "train_dataloader.persistent_workers=False", "val_dataloader.num_workers=0",
               "val_dataloader.persistent_workers=False", "test_dataloader.num_workers=0",
               "test_dataloader.persistent_workers=False"]  # fmt: skip
    work_dir = folder / "work" / config.stem
    run("train.py", config, "--work-dir", work_dir, "--seed", 0, *options, cwd=folder)
    checkpoint = work_dir / CHECKPOINT[config]
    out, pictures = folder / f"{config.stem}.pkl", folder / f"{config.stem}-pictures"
    printed = run("test.py", config, checkpoint, "--work-dir", work_dir, "--out", out,
                  "--show-dir", pictures, *options, cwd=folder)  # fmt: skip
    assert METRIC[config] in printed
    assert len(pickle.loads(out.read_bytes())) == 2
    assert len([p for p in pictures.rglob("*") if p.suffix in (".png", ".jpg")]) == 2


@pytest.mark.parametrize("config", [DET, SEG], ids=["detector", "segmentor"])
def test_missing_data_is_named_before_the_run(config, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run_here("train.py", ["train.py", str(config)], monkeypatch, status=2)
    told = capsys.readouterr().err
    assert "data/shapes" in told
    assert "mmfastervit shapes --out data/shapes" in told


def test_a_detector_is_trained_then_tested_with_pictures_and_predictions(
    folder, monkeypatch, capsys
):
    """What the slow test above does in processes of their own."""
    monkeypatch.chdir(folder)
    options = ["--work-dir", "here", "--cfg-options", *SMALL[DET]]
    for part in ("train_dataloader", "val_dataloader", "test_dataloader"):
        options += [f"{part}.num_workers=0", f"{part}.persistent_workers=False"]
    run_here("train.py", ["train.py", str(DET), *options], monkeypatch)
    test = ["test.py", str(DET), "here/epoch_1.pth", "--out", "o.pkl", "--show-dir", "pictures"]
    run_here("test.py", [*test, *options], monkeypatch)
    assert METRIC[DET] in capsys.readouterr().out
    assert len(pickle.loads(Path("o.pkl").read_bytes())) == 2
    assert len([p for p in Path("pictures").rglob("*") if p.suffix in (".png", ".jpg")]) == 2


def run_here(tool: str, argv: list[str], monkeypatch, status: int = 0) -> None:
    """Run a tool in this process."""
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / "tools" / tool), run_name="__main__")
    assert end.value.code == status


def test_train_then_test_by_the_tools(tmp_path, monkeypatch, capsys):
    """The tools drive any model of mmengine's, from any folder."""
    here = ROOT / "tests/support"
    config = str(here / "tiny_config.py")
    monkeypatch.syspath_prepend(here)
    monkeypatch.chdir(tmp_path)
    train = ["train.py", config, "--auto-scale-lr", "--cfg-options", "train_cfg.max_iters=3"]
    run_here("train.py", train, monkeypatch)
    checkpoint = "work_dirs/tiny_config/iter_3.pth"
    run_here("test.py", ["test.py", config, checkpoint, "--out", "o/out.pkl"], monkeypatch)
    output = capsys.readouterr().out
    assert "Scaling the original LR by 0.5" in output
    assert "Iter(test) [4/4]    error: " in output
    assert len(load("o/out.pkl")) == 16


ARCH = "dict(dim=8,in_dim=8,depths=(1,1,2,1),num_heads=(1,1,2,2),_delete_=True)"
TINY = {
    DET: [f"model.backbone.arch={ARCH}", "model.neck.in_channels=[8,16,32,64]"],
    SEG: [
        f"model.backbone.arch={ARCH}",
        "model.decode_head.in_channels=[8,16,32,64]",
        "model.auxiliary_head.in_channels=32",
    ],
}


@pytest.fixture
def _computing_freely():
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic = False


@pytest.mark.usefixtures("_computing_freely")
@pytest.mark.parametrize(
    ("config", "given"),
    [
        (SEG, ["--deterministic"]),
        pytest.param(DET, ["--deterministic"], marks=pytest.mark.slow),
        pytest.param(DET, [], marks=pytest.mark.slow),
        pytest.param(SEG, [], marks=pytest.mark.slow),
    ],
)
def test_two_runs_of_a_seed_are_identical(config, given, folder, monkeypatch, capsys):
    """On a CPU without ``--deterministic``, too."""
    monkeypatch.chdir(folder)
    options = ["--seed", "3", *given, "--cfg-options", *SMALL[config], *TINY[config]]
    for part in ("train_dataloader", "val_dataloader"):
        options += [f"{part}.num_workers=0", f"{part}.persistent_workers=False"]
    ends = []
    for name in ("first", "second"):
        work_dir = Path("identical", *given, config.stem, name)
        run_here(
            "train.py",
            ["train.py", str(config), "--work-dir", str(work_dir), *options],
            monkeypatch,
        )
        ends.append(work_dir / CHECKPOINT[config])
    assert torch.are_deterministic_algorithms_enabled() == bool(given)
    assert_ended_alike(*ends)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "length", "first", "last"),
    [
        (DET, "train_cfg.max_epochs=2", "epoch_1.pth", "epoch_2.pth"),
        (SEG, "train_cfg.max_iters=6", "iter_2.pth", "iter_6.pth"),
    ],
    ids=["detector", "segmentor"],
)
def test_a_resumed_recipe_ends_as_an_uninterrupted_one(folder, config, length, first, last):
    every = "default_hooks.checkpoint.interval=" + ("1" if config == DET else "2")
    options = ["--cfg-options", length, every, "train_cfg.val_interval=100"]
    in_process = ["train_dataloader.num_workers=0", "train_dataloader.persistent_workers=False"]
    whole, resumed = (folder / "ends" / f"{config.stem}-{name}" for name in ("whole", "resumed"))
    run("train.py", config, "--work-dir", whole, "--seed", 0, *options, *in_process, cwd=folder)
    resumed.mkdir()
    (resumed / first).write_bytes((whole / first).read_bytes())
    told = run("train.py", config, "--work-dir", resumed, "--resume", *options, cwd=folder)
    assert f"{first}, the newest whole checkpoint" in told
    assert_ended_alike(whole / last, resumed / last)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("tool", ["train.py", "test.py"])
def test_a_sample_that_cannot_be_loaded_ends_the_run_in_one_line(
    tool, workers, tmp_path, monkeypatch, capfd
):
    here = ROOT / "tests/support"
    monkeypatch.syspath_prepend(here)
    monkeypatch.chdir(tmp_path)
    import tiny_model

    torch.save(dict(state_dict=tiny_model.Tiny().state_dict()), "tiny.pth")
    arguments = [tool, str(here / "tiny_config.py"), *["tiny.pth"] * (tool == "test.py")]
    part = "test_dataloader" if tool == "test.py" else "train_dataloader"
    options = [f"{part}.dataset.type=BrokenPoints", f"{part}.num_workers={workers}"]
    run_here(tool, [*arguments, "--cfg-options", *options], monkeypatch, status=1)
    told = capfd.readouterr().err
    error = [line for line in told.splitlines() if "can't be loaded" in line]
    assert error == [
        f"{tool}: error: sample 5 of the data (points/5.jpg) can't be loaded: OSError: image file "
        "is truncated. Mend or remove it; `mmfastervit check CONFIG --all` opens every file"
    ]
    assert told.rstrip().endswith(error[0])
    assert "SampleFailed" not in told  # neither a traceback of ours nor that of a worker


def test_faulty_data_end_a_run_before_it_starts_unless_told_otherwise(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "data", "data")
    Path("data/shapes/images/training/000001.jpg").write_bytes(b"")
    run_here("train.py", ["train.py", str(DET)], monkeypatch, status=2)
    told = capsys.readouterr().err
    assert "images/training/000001.jpg is empty" in told
    assert "--no-check starts the run all the same" in told
    train.prepare(build_parser("train").parse_args([str(DET), "--no-check"]))
