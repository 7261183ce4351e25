"""Resuming from mmengine's checkpoints under torch's safe loading."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim import OneCycleParamScheduler

from mmfastervit.checkpoint.allowed import allow_mmengine_checkpoints
from mmfastervit.checkpoint.reading import read_checkpoint

HERE = Path(__file__).parents[1] / "support"
TRAIN = HERE.parents[1] / "tools" / "train.py"
SAFE_BY_DEFAULT = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 6)


def train_tiny(work_dir: Path, *options) -> str:
    """Output of the tiny training, in a process of its own: the allow-list is process-wide."""
    command = [sys.executable, str(TRAIN), str(HERE / "tiny_config.py"), "--seed", "0"]
    command += ["--work-dir", str(work_dir), *map(str, options)]
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=os.pathsep.join(paths))
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=work_dir, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def resumed_run(tmp_path_factory) -> tuple[Path, Path, str]:
    """Work dirs of a whole run and of one resumed from its middle, and the latter's output."""
    whole, resumed = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("resumed")
    train_tiny(whole)
    return whole, resumed, train_tiny(resumed, "--resume", whole / "iter_3.pth")


def test_resumed_run_goes_on_where_the_checkpoint_ends(resumed_run):
    *_, output = resumed_run
    assert "resumed epoch: 0, iter: 3" in output
    assert "Iter(train) [4/6]" in output
    assert "Iter(train) [3/6]" not in output


@pytest.mark.parametrize("part", ["state_dict", "ema_state_dict"])
def test_resumed_run_ends_with_the_weights_of_a_whole_run(resumed_run, part):
    allow_mmengine_checkpoints()
    whole, resumed = (torch.load(folder / "iter_6.pth")[part] for folder in resumed_run[:2])
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_resumed_run_keeps_the_logged_history(resumed_run):
    allow_mmengine_checkpoints()
    hubs = [torch.load(folder / "iter_6.pth")["message_hub"] for folder in resumed_run[:2]]
    losses = [hub["log_scalars"]["train/loss"].data[0] for hub in hubs]
    assert len(losses[0]) == 6
    np.testing.assert_array_equal(*losses)


@pytest.mark.skipif(not SAFE_BY_DEFAULT, reason="torch.load allows everything before torch 2.6")
def test_torch_refuses_the_checkpoint_before_the_call(resumed_run):
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        with pytest.raises(pickle.UnpicklingError):
            torch.load(resumed_run[0] / "iter_3.pth")
    finally:
        torch.serialization.add_safe_globals(allowed)


@pytest.mark.parametrize("numpy_core", [b"numpy.core.", b"numpy._core."])
def test_checkpoints_of_both_numpy_generations_are_read(tmp_path, numpy_core):
    allow_mmengine_checkpoints()
    content = dict(
        best_score=np.float32(0.25),
        history=HistoryBuffer([1.0, 2.0], [1, 1]),
        palette=np.array([[1, 2, 3]], dtype=np.uint8),
        part=slice(1, 2),
        anneal=OneCycleParamScheduler._annealing_cos,
    )
    path = tmp_path / "checkpoint.pth"
    torch.save(content, path, _use_new_zipfile_serialization=False)
    own_core = b"numpy._core." if b"cnumpy._core." in path.read_bytes() else b"numpy.core."
    path.write_bytes(path.read_bytes().replace(b"c" + own_core, b"c" + numpy_core))
    read = torch.load(path, weights_only=True)
    assert read["best_score"] == content["best_score"]
    assert read["history"].mean() == 1.5
    assert read["anneal"] is content["anneal"]
    np.testing.assert_array_equal(read["palette"], content["palette"])


class Reduced:
    """An object that pickles as a call of ``function``."""

    def __init__(self, function, *arguments) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("exit 1",)),
        (eval, ("1 + 1",)),
        (getattr, (HistoryBuffer, "__init__")),
        (getattr, (HistoryBuffer, "__subclasses__")),
        (getattr, (np.ndarray, "tofile")),
        (Path, ("evil",)),
        (np.dtype, ("O", False, True)),
        (np.dtype, ("V8", False, True)),
    ],
)
def test_other_calls_stay_refused(tmp_path, function, arguments):
    allow_mmengine_checkpoints()
    torch.save(dict(state_dict=Reduced(function, *arguments)), tmp_path / "evil.pth")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "evil.pth", weights_only=True)


def test_old_torch_without_an_allow_list_is_left_alone(monkeypatch):
    monkeypatch.delattr(torch.serialization, "add_safe_globals", raising=False)
    allow_mmengine_checkpoints()


def test_file_does_not_change_the_statistics_of_all_histories(tmp_path):
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    torch.save(history, tmp_path / "history.pth")
    original = dict(HistoryBuffer._statistics_methods)
    HistoryBuffer._statistics_methods["mean"] = HistoryBuffer.max
    try:
        torch.save(history, tmp_path / "changed.pth")
    finally:
        HistoryBuffer._statistics_methods.update(original)
    read = torch.load(tmp_path / "changed.pth", weights_only=True)
    assert type(read) is HistoryBuffer
    assert read.statistics("mean") == 1.5


def test_scheduler_named_in_a_file_is_not_built(tmp_path):
    class Names:
        def __reduce__(self):
            return OneCycleParamScheduler, ()

    torch.save(Names(), tmp_path / "scheduler.pth")
    read = torch.load(tmp_path / "scheduler.pth", weights_only=True)
    assert not isinstance(read, OneCycleParamScheduler)


@pytest.mark.skipif(not SAFE_BY_DEFAULT, reason="torch has no safe_globals before 2.6")
def test_what_mmengines_forks_take_off_the_list_is_read_all_the_same(tmp_path):
    content = dict(best=np.float32(1), history=HistoryBuffer([1.0], [1]))
    torch.save(content, tmp_path / "file.pth")
    theirs = [getattr, np.ndarray, np.dtype, HistoryBuffer, type(np.dtype(np.float32)), slice]
    with torch.serialization.safe_globals(theirs):
        torch.load(tmp_path / "file.pth")
    assert read_checkpoint(tmp_path / "file.pth")["history"].mean() == 1.0


class Flagged:
    """A data type of numbers that its state declares to be of objects."""

    def __reduce__(self):
        return np.dtype, ("f8", False, True), (3, "<", None, None, None, -1, -1, 1)


def test_numbers_are_not_taken_for_objects(tmp_path):
    torch.save(Flagged(), tmp_path / "flagged.pth")
    read = torch.load(tmp_path / "flagged.pth", weights_only=True)
    assert read == np.float64
    assert not read.hasobject
    assert not np.dtype(np.float64).hasobject
