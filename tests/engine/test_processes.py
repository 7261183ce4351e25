"""Several processes: a step is that of one with the whole batch, and a signal ends them as one."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen

import pytest
from support.lasting import assert_ended_alike
from support.ports import free_port

from mmfastervit.checkpoint.reading import read_checkpoint
from mmfastervit.engine.resuming import newest_whole

TESTS = Path(__file__).resolve().parents[1]
STEPS = """
import json, sys
from pathlib import Path
from support.stepping import compare
print(json.dumps(compare(sys.argv[2:], Path(sys.argv[1]))))
"""
STEPS_AND_STOPS = """
import json, sys
from pathlib import Path
from support import stepping, stopping
folder = Path(sys.argv[1])
steps = stepping.compare(sys.argv[2:], folder)
print(json.dumps(dict(steps=steps, stops=stopping.main(folder))))
"""
QUICK = ("fcos", "upernet")
EQUAL = ("atss", "gfl-confident")
# By how much of them the gradients differ, at least.
UNEQUAL = {
    "gfl": 0.1,
    "retinanet": 0.1,
    "cascade": 0.01,
    "cascade-same-regions": 0.001,
    "upernet-non-ignored": 0.01,
}


def run(script: str, *arguments: object) -> tuple[dict, str]:
    """Run a script that forks processes: what it prints last, and all that it says."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *map(str, arguments)],
        env=dict(os.environ, PYTHONPATH=f"{TESTS}:{TESTS.parent}", OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def outcomes(folder) -> dict:
    found, told = run(STEPS_AND_STOPS, folder, *QUICK)
    return dict(found, told=told)


@pytest.fixture(scope="module")
def slow_steps(tmp_path_factory) -> dict:
    names = (*EQUAL, *UNEQUAL)
    return run(STEPS, tmp_path_factory.mktemp("steps"), *names)[0]


@pytest.mark.parametrize("name", QUICK)
def test_a_step_of_two_processes_is_that_of_one(name, outcomes):
    assert max(outcomes["steps"][name]) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", EQUAL)
def test_a_step_of_two_processes_is_that_of_one_too(name, slow_steps):
    assert max(slow_steps[name]) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", UNEQUAL)
def test_hosts_that_average_over_each_process_take_another_step(name, slow_steps):
    """If one does no longer, docs/long-runs.md has to say so."""
    assert slow_steps[name][1] > UNEQUAL[name]


ROOT = TESTS.parent
CONFIG = TESTS / "support/pictures_config.py"
STOPPED = 128 + signal.SIGTERM


def launch(work_dir: Path, *options: str, processes: int = 2, **settings: object) -> Popen:
    """Start a run by the launcher, which the environment's ``settings`` tell of other machines."""
    command = ["bash", ROOT / "tools/dist_train.sh", CONFIG, processes, "--work-dir", work_dir]
    command += ["--resume", "--cfg-options", "train_dataloader.batch_size=4", *options]
    environment = dict(os.environ, PYTHON=sys.executable, OMP_NUM_THREADS="1", **settings)
    environment["PYTHONPATH"] = f"{ROOT}:{CONFIG.parent}"
    environment["PORT"] = str(settings.get("PORT") or free_port())
    return Popen(
        list(map(str, command)),
        env={name: str(value) for name, value in environment.items()},
        stdout=PIPE,
        stderr=STDOUT,
        text=True,
    )


def launch_nodes(work_dirs: list[Path], *options: str) -> list[Popen]:
    """Start a run of two machines, which are this one, with a process each."""
    port = free_port()
    return [
        launch(folder, *options, processes=1, NNODES=2, NODE_RANK=rank, PORT=port)
        for rank, folder in enumerate(work_dirs)
    ]


@pytest.mark.slow
def test_two_machines_train_one_model(tmp_path):
    """Both are this one, and talk by its loopback."""
    shared = tmp_path / "shared"
    nodes = launch_nodes([shared, shared], "train_cfg.max_iters=2")
    told = [node.communicate(timeout=300)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], told
    assert "GPU number: 2" in told[0]
    alone = launch(tmp_path / "alone", "train_cfg.max_iters=2")
    told = alone.communicate(timeout=300)[0]
    assert alone.returncode == 0, told
    assert_ended_alike(shared / "iter_2.pth", tmp_path / "alone/iter_2.pth")

    own = [tmp_path / "first", tmp_path / "second"]
    shutil.copytree(shared, own[0])
    nodes = launch_nodes(own, "train_cfg.max_iters=4")
    told = [node.communicate(timeout=300)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [1, 1], told
    assert "error: this process begins at iteration 0, another at 2" in told[1]


@pytest.mark.slow
@pytest.mark.parametrize("to", ["launcher", "worker"])
def test_a_signal_by_or_past_torchrun_ends_a_run_that_then_goes_on(to, tmp_path):
    options = ["train_cfg.max_iters=60", "default_hooks.checkpoint.interval=100"]
    whole = launch(tmp_path / "whole", *options)
    whole.communicate(timeout=300)
    told = launch(tmp_path / "told", *options)
    for line in told.stdout:
        if "Iter(train) [20/60]" in line:
            break
    os.kill(told.pid if to == "launcher" else workers_of(told.pid)[1], signal.SIGTERM)
    rest = told.communicate(timeout=300)[0]
    assert told.returncode == 1, rest  # torchrun's own
    assert "SIGTERM: stopped after" in rest
    assert newest_whole([tmp_path / "told"]) == tmp_path / "told/stopped.pth"
    resumed = launch(tmp_path / "told", *options)
    rest = resumed.communicate(timeout=300)[0]
    assert resumed.returncode == whole.returncode == 0, rest
    assert_ended_alike(tmp_path / "whole/iter_60.pth", tmp_path / "told/iter_60.pth")


def workers_of(launcher: int) -> list[int]:
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    return sorted(map(int, children))


def test_a_signal_to_one_process_ends_all_after_the_same_step(outcomes, folder):
    """The first process gets one, too, while it writes the checkpoint."""
    assert outcomes["stops"]["stopped"] == [STOPPED, STOPPED]
    assert outcomes["stops"]["resumed"] == [0, 0] == outcomes["stops"]["whole"]
    assert_ended_alike(folder / "whole/epoch_3.pth", folder / "stopped/epoch_3.pth")
    assert "SIGTERM: stopped after 7 iterations" in outcomes["told"]
    assert f"from path: {folder}/stopped/stopped.pth" in outcomes["told"]


def test_a_validation_is_stopped_too(outcomes, folder):
    assert outcomes["stops"]["validating"] == [STOPPED, STOPPED]
    assert read_checkpoint(folder / "validating/stopped.pth")["meta"]["iter"] == 3


def test_a_loss_that_is_not_finite_in_one_process_ends_all_without_a_checkpoint(outcomes, folder):
    assert outcomes["stops"]["diverged"] == [1, 1]
    assert "iteration 7: loss is nan" in outcomes["told"]
    assert "iteration 7: a loss of another process is not finite" in outcomes["told"]
    assert newest_whole([folder / "diverged"]) == folder / "diverged/iter_6.pth"


def test_processes_that_do_not_begin_alike_are_told(outcomes):
    assert outcomes["stops"]["apart"] == [1, 1]
    assert "this process begins at iteration 0, another at 3" in outcomes["told"]
