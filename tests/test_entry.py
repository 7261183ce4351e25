"""The console script starts where the package does not import."""

import os
import subprocess
from pathlib import Path

import pytest
from support.stub_stack import bare_python

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = "import mmfastervit_command; mmfastervit_command.main()"


@pytest.fixture(scope="module")
def answer(tmp_path_factory):
    """Run the console script of an interpreter without packages."""
    folder = tmp_path_factory.mktemp("bare")
    python = bare_python(folder / "venv")

    def run(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(python), "-c", SCRIPT, *arguments],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_doctor_needs_no_package(answer):
    done = answer("doctor")
    assert done.returncode == 1
    assert done.stderr == ""
    assert "torch is not installed" in done.stdout


def test_help_of_doctor_needs_no_package(answer):
    done = answer("doctor", "--help")
    assert done.returncode == 0
    assert "mmfastervit doctor --json" in done.stdout


@pytest.mark.parametrize(("arguments", "status"), [(("--help",), 0), (("--version",), 0), ((), 2)])
def test_what_lists_the_commands_needs_no_package(answer, arguments, status):
    done = answer(*arguments)
    assert done.returncode == status
    assert "mmfastervit" in done.stdout


@pytest.mark.parametrize("arguments", [("train", "x.py"), ("train", "--help"), ("trian",)])
def test_other_commands_lead_to_doctor(answer, arguments):
    done = answer(*arguments)
    assert done.returncode == 1
    assert "No module named" in done.stderr
    assert done.stderr.endswith("`mmfastervit doctor` says what mends that\n")
