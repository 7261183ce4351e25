"""What becomes of a run in two processes when one of them, or both, is told to stop."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook

from mmfastervit import files

from .lasting import make_runner
from .together import run_together

STOPPED = "stopped.pth"
EPOCH = 3  # steps, of two processes
AFTER = 2 * EPOCH  # steps, when the signals come


class Signal(Hook):
    """Signals the second process in a step or a validation, and the first while it saves."""

    def __init__(self, place: str = "train"):
        self.place = place

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Send the first in training."""
        if self.place == "train" and runner.iter == AFTER:
            self._send(to=1)

    def before_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Send the first in a validation."""
        if self.place == "val" and batch_idx == 3:
            self._send(to=1)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Send what a launcher repeats."""
        if runner.iter == AFTER:
            self._send(to=0)

    def _send(self, to: int) -> None:
        if get_rank() == to:
            os.kill(os.getpid(), signal.SIGTERM)


class Diverge(Hook):
    """Makes the weights of the second process useless."""

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Do so before the step after which runs are told to stop."""
        if runner.iter == AFTER and get_rank() == 1:
            runner.model.module.layer.weight.data.fill_(float("nan"))


def train(folder: Path, hook: Hook | None = None, **settings: Any) -> Callable[[int], None]:
    """Make what a process does that trains; it fails if it ends before the checkpoint is there."""

    def work(rank: int) -> None:
        if rank == 0:
            _write_slowly()
        runner = make_runner(folder, **settings)
        if hook is not None:
            runner.register_hook(hook)
        try:
            runner.train()
        except SystemExit:
            if not (folder / STOPPED).exists():
                raise RuntimeError(f"process {rank} ended before {STOPPED} was written") from None
            raise

    return work


def _write_slowly() -> None:
    flush = files._flush

    def slow(path: Path) -> None:
        if path.name.endswith(STOPPED):
            time.sleep(0.5)
        flush(path)

    files._flush = slow


def begin_apart(folder: Path, checkpoint: Path) -> Callable[[int], None]:
    """Make what a process does of which the first alone finds a checkpoint."""

    def work(rank: int) -> None:
        runner = make_runner(folder)
        if rank == 0:
            runner._resume, runner._load_from = True, str(checkpoint)
        runner.train()

    return work


def main(folder: Path) -> dict[str, list[int]]:
    """Run all cases, each in a folder of its name.

    Returns:
        The exit statuses of the processes of each.
    """
    make_runner(folder / "first")  # loads what all processes need, before they are forked
    runs: dict[str, Callable[[int], None]] = dict(
        whole=train(folder / "whole"),
        stopped=train(folder / "stopped", Signal()),
        resumed=train(folder / "stopped", resume=True),
        validating=train(folder / "validating", Signal("val"), evaluate=True),
        diverged=train(folder / "diverged", Diverge(), by_epoch=False),
        apart=begin_apart(folder / "apart", folder / "whole/epoch_1.pth"),
    )
    return {name: run_together(work, folder) for name, work in runs.items()}
