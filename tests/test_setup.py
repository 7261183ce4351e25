"""What tools/setup_env.sh decides before it installs or compiles anything."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from torch.utils.cpp_extension import include_paths

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "tools/setup_env.sh"


def said(command: str, *functions: str, **variables: object) -> str:
    """The output of a command in a shell that has some functions of the set-up, and variables."""
    lines = SCRIPT.read_text()
    parts = [re.search(rf"^{name}\(\) {{.*?^}}", lines, re.M | re.S)[0] for name in functions]
    settings = [f"{name}={shlex.quote(str(value))}" for name, value in variables.items()]
    script = "\n".join(["set -euo pipefail", *settings, *parts, command])
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout


def program(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("stack", "version", "fault"),
    [
        ("openmmlab", "3.9", "is Python 3.9"),
        ("openmmlab", "3.10", ""),
        ("openmmlab", "3.12", ""),
        ("openmmlab", "3.13", "mmcv 2.1.0 cannot be built; STACK=onedl takes it"),
        ("onedl", "3.13", ""),
        ("onedl", "3.14", "is Python 3.14"),
        ("onedl", "", "is not Python"),
    ],
)
def test_which_pythons_are_taken(stack, version, fault, tmp_path):
    python = program(tmp_path / "python", f'case "$2" in *version_info*) echo {version};; esac')
    pins = {"PINS": ROOT / f"requirements/{stack}.txt", "COMMON": ROOT / "requirements/common.txt"}
    told = said(f"python_fault {python}", "python_fault", "pin", STACK=stack, **pins)
    assert told.strip().endswith(fault)
    assert bool(told) == bool(fault)


def test_the_cuda_toolkit_is_where_nvcc_says(tmp_path):
    """A script on the path that calls the nvcc of another folder."""
    home = tmp_path / "cuda-13.0"
    real = program(home / "bin/nvcc", f"echo '#$ TOP={home}/bin/..' >&2")
    script = program(tmp_path / "bin/nvcc", f'exec {real} "$@"')
    path = f"{script.parent}:/usr/bin:/bin"
    clean = "unset CUDA_HOME CUDA_PATH; "
    assert said(f"{clean} cuda_home", "cuda_home", PATH=path).strip() == str(home)
    assert said("cuda_home", "cuda_home", PATH=path, CUDA_HOME="/not/there") == "/not/there\n"


def test_another_compiler_than_gcc_compiles_as_ever(tmp_path):
    other = program(tmp_path / "c++", "echo 'clang version 19.1' >&2")
    assert (
        said("headers_compiled_once", "headers_compiled_once", **environment(tmp_path, other)) == ""
    )


@pytest.mark.slow
def test_gcc_takes_torchs_headers_compiled_once(tmp_path):
    folder = tmp_path / "with a space"
    folder.mkdir()
    flags = said("headers_compiled_once", "headers_compiled_once", **environment(folder, "c++"))
    assert "-O" in flags  # Python's own flags, which one setuptools drops where CFLAGS is set
    assert "-g0" in flags
    source = folder / "x.cpp"
    source.write_text(
        "#include <torch/types.h>\nat::Tensor twice(at::Tensor x) { return x + x; }\n"
    )
    torchs = [f"-I{path}" for path in include_paths()]
    command = ["c++", *shlex.split(flags), "-std=c++17", *torchs, "-H", "-c", source]
    command += ["-o", folder / "x.o"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.startswith("! ")  # so GCC marks a compiled header that it took
    assert not re.search(r"^\.+ .*/ATen/", done.stderr, re.M)  # and read none of what is in it


def environment(folder: Path, compiler: object) -> dict[str, object]:
    """What the function finds set: this environment as .venv."""
    return {"VENV": sys.prefix, "SCRATCH": folder, "CXX": compiler}
