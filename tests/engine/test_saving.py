"""No fault takes a checkpoint: kills at every kind of write, full disks, moved folders."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.hooks import Hook
from support.lasting import EPOCH, assert_ended_alike, make_runner

from mmfastervit import files
from mmfastervit.engine.resuming import newest_whole
from mmfastervit.engine.saving import CheckpointNotWritten, Diverged

SETTINGS = dict(max_keep_ckpts=1, evaluate=True, save_best="score", rule="greater")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def test_a_run_keeps_what_it_is_told_to_and_points_at_it(tmp_path):
    make_runner(tmp_path, **SETTINGS).train()
    assert {n for n in names(tmp_path) if n.endswith("pth")} == {
        "best_score_epoch_3.pth",
        "epoch_3.pth",
    }
    assert (tmp_path / "last_checkpoint").read_text() == "epoch_3.pth"


def test_a_copied_run_leaves_the_files_of_the_original_alone(tmp_path):
    original, copy = tmp_path / "original", tmp_path / "copy"
    make_runner(original, **SETTINGS).train()
    before = names(original)
    os.rename(original, copy)
    original.mkdir()
    for path in copy.glob("*.pth"):
        (original / path.name).write_bytes(path.read_bytes())
    runner = make_runner(copy, resume=True, **SETTINGS)
    runner.cfg.train_cfg.max_epochs = 4
    runner._train_loop.max_epochs = 4
    runner.train()
    assert {"epoch_4.pth", "best_score_epoch_4.pth"} <= names(copy)
    assert {n for n in before if n.endswith("pth")} == names(original)


KILLED_RUNS = """
import json, os, sys
from pathlib import Path
from support.killing import kill_at
from support.lasting import make_runner

SETTINGS = dict(max_keep_ckpts=1, evaluate=True, save_best="score", rule="greater")

def child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def run(folder, resume=False, kill=None):
    if kill:
        kill_at(*kill)
    make_runner(folder, resume=resume, **SETTINGS).train()

for i, kill in enumerate(json.loads(sys.argv[2])):
    folder = Path(sys.argv[1]) / str(i)
    first = child(lambda: run(folder, kill=kill))
    left = sorted(path.name for path in folder.glob("*.pth"))
    second = child(lambda: run(folder, resume=True))
    with open(sys.argv[3], "a") as file:
        file.write(json.dumps([first, left, second]) + "\\n")
"""
# An epoch writes its checkpoint, the pointer, the best one, the checkpoint again, the pointer; each
# is written beside, moved, and then what it makes outdated is removed.
SOME = [
    ["path", "write_bytes", 4, False],
    ["path", "write_text", 3, False],
    ["path", "unlink", 15, True],
]
EVERY = [
    [owner, name, call, early]
    for owner, name, calls in (
        ("path", "write_bytes", range(1, 9)),
        ("path", "write_text", range(1, 6)),
        ("os", "replace", range(1, 14)),
        ("path", "unlink", range(1, 22, 2)),
    )
    for call in calls
    for early in (True, False)
]


@pytest.mark.parametrize(
    "kills",
    [SOME, pytest.param(EVERY, marks=pytest.mark.slow)],
    ids=["some", "every"],
)
def test_a_kill_at_any_write_loses_nothing(kills, tmp_path):
    tests, results = Path(__file__).parents[1], tmp_path / "results"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED_RUNS, tmp_path, json.dumps(kills), results],
        env=dict(os.environ, PYTHONPATH=f"{tests}:{tests.parent}", OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    make_runner(tmp_path / "whole", **SETTINGS).train()
    outcomes = [json.loads(line) for line in results.read_text().splitlines()]
    for i, (kill, (first, left, second)) in enumerate(zip(kills, outcomes, strict=True)):
        assert first == -signal.SIGKILL, (kill, left, done.stderr)
        assert second == 0, (kill, left, done.stderr)
        assert_ended_alike(tmp_path / "whole/epoch_3.pth", tmp_path / str(i) / "epoch_3.pth")
        assert not list((tmp_path / str(i)).glob(".*.*"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_what_cannot_be_written_is_told_and_what_was_there_stays(number, tmp_path, monkeypatch):
    class Full(Hook):
        def after_train_epoch(self, runner):
            if runner.epoch == 1:
                monkeypatch.setattr(files, "_flush", fail)

    def fail(path):
        raise OSError(number, os.strerror(number))

    runner = make_runner(tmp_path, max_keep_ckpts=1)
    runner.register_hook(Full())
    with pytest.raises(CheckpointNotWritten) as error:
        runner.train()
    assert str(error.value) == (
        f"epoch_2.pth could not be written to {tmp_path} ({os.strerror(number)}); the run's last "
        "whole checkpoint is epoch_1.pth. Make room, or the folder writable, and go on by --resume"
    )
    assert newest_whole([tmp_path]) == tmp_path / "epoch_1.pth"
    assert not list(tmp_path.glob(".*.*"))


def test_a_run_ends_at_the_first_loss_that_is_not_finite(tmp_path):
    class Diverge(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            if runner.iter == EPOCH + 1:
                runner.model.layer.weight.data.fill_(float("nan"))

    runner = make_runner(tmp_path, by_epoch=False, interval=1)
    runner.register_hook(Diverge())
    with pytest.raises(Diverged, match=r"iteration 7: loss is nan.*checkpoint is iter_6\.pth"):
        runner.train()
    assert newest_whole([tmp_path]) == tmp_path / "iter_6.pth"


@pytest.mark.parametrize("by_epoch", [True, False])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_after_its_step_and_it_goes_on(by_epoch, number, tmp_path):
    class Signal(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            if runner.iter == EPOCH + 1:
                os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    runner = make_runner(tmp_path / "told", by_epoch=by_epoch)
    runner.register_hook(Signal())
    with pytest.raises(SystemExit) as end:
        runner.train()
    assert end.value.code == 128 + number
    assert runner.iter == EPOCH + 1
    assert signal.getsignal(number) is before
    assert newest_whole([tmp_path / "told"]).name == "stopped.pth"
    make_runner(tmp_path / "told", by_epoch=by_epoch, resume=True).train()
    make_runner(tmp_path / "whole", by_epoch=by_epoch).train()
    last = "epoch_3.pth" if by_epoch else "iter_15.pth"
    assert_ended_alike(tmp_path / "told" / last, tmp_path / "whole" / last)
    assert "stopped.pth" not in names(tmp_path / "told")


def test_the_companions_can_be_left_out(tmp_path):
    runner = make_runner(tmp_path, exact_resume=False, stop_on_signals=False)
    count = len(runner.hooks)
    runner.train()
    assert len(runner.hooks) == count


SIGNALLED_RUN = """
import os, signal, sys
from pathlib import Path
from mmengine.hooks import Hook
from support.lasting import EPOCH, make_runner

class Signal(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == EPOCH + 1:
            os.killpg(0, int(sys.argv[3]))

runner = make_runner(Path(sys.argv[1]), by_epoch=sys.argv[2] == "epoch", workers=2)
runner.register_hook(Signal())
runner.train()
"""


@pytest.mark.parametrize(
    ("by", "number"),
    [
        ("iter", signal.SIGTERM),
        pytest.param("epoch", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("iter", signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_a_signal_to_all_processes_leaves_the_workers_alone(by, number, tmp_path):
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SIGNALLED_RUN, tmp_path, by, str(int(number))],
        env=dict(os.environ, PYTHONPATH=f"{tests}:{tests.parent}", OMP_NUM_THREADS="1"),
        start_new_session=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 128 + number, done.stderr
    assert newest_whole([tmp_path]).name == "stopped.pth"
