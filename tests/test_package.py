"""The wheel, installed beside the OpenMMLab packages, works from any folder."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from sysconfig import get_path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_SOURCE = (".git", ".venv*", "build", "dist", "data", "work_dirs", "*.egg-info", "__pycache__")
SHAPES = "mmfastervit::det/cascade-mask-rcnn_fastervit-0_fpn_shapes.py"
QUICK = [
    "train_cfg.max_epochs=1", "train_cfg.val_interval=5", "default_hooks.checkpoint.interval=1",
    "train_dataloader.num_workers=0", "train_dataloader.persistent_workers=False",
    "val_dataloader.num_workers=0", "val_dataloader.persistent_workers=False",
    "test_dataloader.num_workers=0", "test_dataloader.persistent_workers=False",
]  # fmt: skip


def run(*command, **options) -> str:
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def build_wheel(source: Path, out: Path) -> Path:
    """Build the wheel of a folder or of an sdist."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    run(*pip, "--wheel-dir", out, source)
    (built,) = out.glob("*.whl")
    return built


def build_sdist(source: Path, out: Path) -> Path:
    """Build the sdist of a folder, as a build frontend does."""
    build = f"from setuptools import build_meta; build_meta.build_sdist({str(out)!r})"
    run(sys.executable, "-c", build, cwd=source)
    (built,) = out.glob("*.tar.gz")
    return built


def copy_checkout(to: Path) -> Path:
    """A copy of this checkout's files."""
    return shutil.copytree(ROOT, to, ignore=shutil.ignore_patterns(*NOT_SOURCE))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this checkout, built in a copy of it."""
    folder = tmp_path_factory.mktemp("wheel")
    return build_wheel(copy_checkout(folder / "source"), folder)


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    """The sdist of another copy, in which every file has another time and other rights."""
    folder = tmp_path_factory.mktemp("sdist")
    source = copy_checkout(folder / "elsewhere" / "source")
    for path in source.rglob("*"):
        os.utime(path, (1.5e9, 1.5e9))
        path.chmod(path.stat().st_mode | 0o060)  # as with another umask
    return build_sdist(source, folder)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The console script of a virtual environment that has the wheel and this one's packages.

    This environment's own .pth files, the editable install of the checkout among them, do not
    count there.
    """
    venv = tmp_path_factory.mktemp("empty") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    python = venv / "bin/python"
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(site, "openmmlab.pth").write_text(get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    run(*pip, "--no-deps", "--no-index", "--ignore-installed", wheel)
    return venv / "bin/mmfastervit"


def test_the_wheel_holds_what_is_needed_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    recipes = {path.relative_to(ROOT).as_posix() for path in (ROOT / "configs").rglob("*.py")}
    shipped = {name.removeprefix("mmfastervit/.mim/") for name in names if "/.mim/" in name}
    assert recipes <= shipped
    assert {"tools/train.py", "tools/dist_train.sh", "model-index.yml"} <= shipped
    assert "mmfastervit/py.typed" in names
    tops = {name.partition("/")[0].partition("-")[0] for name in names}
    assert tops == {"mmfastervit", "mmfastervit_command.py"}
    assert not [name for name in names if name.endswith("setup_env.sh") or "tests/" in name]


@pytest.mark.slow
def test_the_same_files_give_the_same_archives(wheel, sdist, tmp_path):
    """The wheel by way of the sdist too: what a release builds of it is what was tested."""
    assert build_wheel(sdist, tmp_path).read_bytes() == wheel.read_bytes()
    again = build_sdist(copy_checkout(tmp_path / "source"), tmp_path)
    assert again.name == sdist.name
    assert again.read_bytes() == sdist.read_bytes()


def test_the_commands_work_from_any_folder(installed, tmp_path):
    assert "train" in run(installed, "--help", cwd=tmp_path)
    where = "from importlib.util import find_spec; print(find_spec('mmfastervit').origin)"
    python = installed.with_name("python")
    assert str(installed.parents[1]) in run(python, "-W", "ignore", "-c", where, cwd=tmp_path)

    command = [str(installed), "train", SHAPES]  # to be told of its data is to have read the recipe
    told = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert told.returncode == 2, told.stderr[-3000:]
    assert "data/shapes" in told.stderr


def test_the_doctor_comes_where_torch_does_not_import(installed, tmp_path):
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so.13: no such file')")
    broken = dict(capture_output=True, text=True, cwd=tmp_path, check=False)
    broken["env"] = os.environ | {"PYTHONPATH": str(tmp_path)}
    told = subprocess.run([str(installed), "doctor"], **broken)
    assert told.returncode == 1
    assert told.stderr == ""
    assert "torch does not import: OSError: libcudart.so.13" in told.stdout
    refused = subprocess.run([str(installed), "train", SHAPES], **broken)
    assert refused.returncode == 1
    assert refused.stderr.endswith("`mmfastervit doctor` says what mends that\n")


@pytest.mark.slow
def test_a_config_is_swapped_and_a_trained_model_tested_and_exported(installed, tmp_path):
    retinanet = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"
    run(installed, "swap", retinanet, "--arch", "fastervit_0", "--out", "mine.py", cwd=tmp_path)
    assert "mmfastervit.FasterViT" in (tmp_path / "mine.py").read_text()
    run(installed, "shapes", "--out", "data/shapes", "--train", 4, "--val", 2, "--size", 64,
        cwd=tmp_path)  # fmt: skip
    run(installed, "train", SHAPES, "--work-dir", "work", "--cfg-options", *QUICK, cwd=tmp_path)
    checkpoint = tmp_path / "work/epoch_1.pth"
    tested = run(installed, "test", SHAPES, checkpoint, "--cfg-options", *QUICK, cwd=tmp_path)
    assert "bbox_mAP" in tested
    run(installed, "export", SHAPES, checkpoint, "--out", "backbone.onnx", cwd=tmp_path)
    assert (tmp_path / "backbone.onnx").is_file()
