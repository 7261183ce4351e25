"""Ending a run when it is asked to: the step is finished and a checkpoint written."""

import os
import signal
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class PreemptionHook(Hook):
    """Ends training on SIGTERM or SIGINT after the step that is running, with a checkpoint.

    The process ends with 128 plus the signal's number, as a shell tells it: 143 or 130. A second
    signal ends it at once.

    Args:
        save: Saves the run after a number of iterations and returns the file.
        interval: Of several processes, after how many steps they ask each other whether one of them
            was told to stop.
    """

    priority = "LOWEST"  # after the checkpoints that are due

    def __init__(self, save: Callable[[Runner, int], str], interval: int = 10):
        self.save, self.interval = save, interval
        self.received = 0
        self._before: dict[int, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Listen."""
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._receive)

    def _receive(self, number: int, frame: object) -> None:
        self.received = number
        self._restore()

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
        """Stop if a signal came."""
        several = get_world_size() > 1
        if several and not self.every_n_train_iters(runner, self.interval):
            return
        received = self.received
        if several:
            told = torch.tensor(received)
            all_reduce(told, "max")
            received = int(told)
        if received:
            self._stop(runner, received, runner.iter + 1)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | Sequence | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Stop a validation of a run in one process; of several, the next step does."""
        if self.received and get_world_size() == 1:
            self._stop(runner, self.received, runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Listen no more."""
        self._restore()

    def _stop(self, runner: Runner, received: int, iterations: int) -> None:
        path = self.save(runner, iterations)
        name = signal.Signals(received).name
        runner.logger.warning(f"{name}: stopped after {iterations} iterations, saved {path}")
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
