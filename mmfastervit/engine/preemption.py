"""Ending a run when it is asked to: the step is finished and a checkpoint written."""

import os
import signal
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any

import torch
from mmengine.dist import all_reduce, barrier, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_VAL_STEPS = 10  # after how many steps of a validation several processes ask each other


def highest(value: int) -> int:
    """The highest value of all processes, which all must ask for at the same time."""
    if get_world_size() == 1:
        return value
    told = torch.tensor(value)
    all_reduce(told, "max")
    return int(told)


class PreemptionHook(Hook):
    """Ends training on SIGTERM or SIGINT after the step that is running, with a checkpoint.

    Of several processes, all end after the same step, whichever of them was told to, and none
    before the checkpoint is written. A process ends with 128 plus the signal's number, as a shell
    tells it: 143 or 130. Schedulers and launchers send a signal more than once: one that is
    repeated changes nothing, except that a second SIGINT (Ctrl-C) ends a run in one process at
    once.

    Args:
        save: Saves the run after a number of iterations and returns the file.
    """

    priority = "LOWEST"  # after the checkpoints that are due

    def __init__(self, save: Callable[[Runner, int], str]):
        self.save = save
        self.received = 0
        self._before: dict[int, Any] = {}
        self._val_steps = 0  # that every process has

    def before_train(self, runner: Runner) -> None:
        """Listen."""
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._receive)

    def _receive(self, number: int, frame: object) -> None:
        self.received = self.received or number
        if get_world_size() == 1 and signal.SIGINT in self._before:
            signal.signal(signal.SIGINT, self._before.pop(signal.SIGINT))

    def _restore(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | Sequence | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Stop if a signal came to any process."""
        self._stop_if_told(runner, runner.iter + 1)

    def before_val_epoch(self, runner: Runner) -> None:
        """Note how many steps all processes have, of which some may have one more."""
        if self._before:
            self._val_steps = -highest(-len(runner.val_dataloader))

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | Sequence | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Stop a validation while training; of several processes, after some more steps."""
        steps = batch_idx + 1
        asked = get_world_size() == 1 or (steps % _VAL_STEPS == 0 and steps <= self._val_steps)
        if self._before and asked:
            self._stop_if_told(runner, runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Listen no more."""
        self._restore()

    def _stop_if_told(self, runner: Runner, iterations: int) -> None:
        received = highest(self.received)
        if not received:
            return
        path = self.save(runner, iterations)
        barrier()  # a launcher ends the others when one has ended
        name = signal.Signals(received).name
        runner.logger.warning(f"{name}: stopped after {iterations} iterations, saved {path}")
        self._restore()
        raise SystemExit(128 + received)


def shield_workers(loader: DataLoader) -> None:
    """Let workers that a data loader starts from now on live through signals to all processes.

    Such a signal, Slurm's or a terminal's, is for the process of the run: a worker that dies of it
    takes the run along in the middle of its step. Workers still end when their loader tells them
    to, and when its process is gone.
    """
    if not isinstance(loader.worker_init_fn, _Shield):
        loader.worker_init_fn = _Shield(loader.worker_init_fn)


class _Shield:
    """A worker's ``worker_init_fn``, after which it takes signals from its parent alone."""

    def __init__(self, inner: Callable[[int], object] | None):
        self.inner = inner

    def __call__(self, worker: int) -> None:
        if hasattr(signal, "sigwaitinfo"):  # only there is the sender known
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
            Thread(target=_obey, args=(os.getppid(),), daemon=True).start()
        if self.inner is not None:
            self.inner(worker)


def _obey(parent: int) -> None:
    while signal.sigwaitinfo(_SIGNALS).si_pid != parent:
        pass
    os._exit(0)
