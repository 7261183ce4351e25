"""The launch scripts of distributed runs."""

import os
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.mark.parametrize(
    ("script", "arguments"),
    [("dist_train.sh", ["c"]), ("dist_test.sh", ["c", "p"]), ("slurm_train.sh", ["p", "j"])],
)
def test_scripts_without_their_arguments_show_their_usage(script, arguments):
    command = ["bash", str(TOOLS / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")


@pytest.fixture
def slurm(tmp_path):
    """Run the Slurm launcher with a ``srun`` that prints its arguments, one a line."""
    srun = tmp_path / "bin/srun"
    srun.parent.mkdir()
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)

    def run(*arguments, **settings) -> subprocess.CompletedProcess:
        path = f"{srun.parent}{os.pathsep}{os.environ['PATH']}"
        command = ["bash", str(TOOLS / "slurm_train.sh"), *arguments]
        return subprocess.run(
            command,
            env={**os.environ, **settings, "PATH": path},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_slurm_asks_for_what_is_set(slurm):
    done = slurm("gpu", "job", "a b.py", "--seed", "1", GPUS="4", SRUN_ARGS="--time 1:00")
    words = done.stdout.splitlines()
    assert done.returncode == 0
    assert {"--partition=gpu", "--gres=gpu:4", "--ntasks=4", "--ntasks-per-node=4"} <= set(words)
    assert words[words.index("--time") + 1] == "1:00"
    assert words[-5:] == ["a b.py", "--launcher", "slurm", "--seed", "1"]


@pytest.mark.parametrize("name", ["GPUS", "GPUS_PER_NODE", "CPUS_PER_TASK"])
@pytest.mark.parametrize("value", ["PATH[$(touch run)]", "0", "-1", "4x", "$(touch run)"])
def test_slurm_takes_numbers_and_runs_nothing(slurm, tmp_path, name, value):
    done = slurm("gpu", "job", "c.py", **{name: value})
    assert done.returncode == 2
    assert f"{name} must be a whole number of at least 1, not '{value}'" in done.stderr
    assert not (tmp_path / "run").exists()
