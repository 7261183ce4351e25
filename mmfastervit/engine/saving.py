"""Checkpoints that no fault takes: each is whole on the disk before the one before it goes."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import torch
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import BaseLoop, Runner

from mmfastervit.checkpoint.fitting import fit, unwrapped
from mmfastervit.checkpoint.formats import POINTER, SHARDED
from mmfastervit.files import remove, remove_parts, written_whole
from mmfastervit.registry import HOOKS
from mmfastervit.signatures import options_of

from .claiming import Claim, FolderInUse, claim
from .preemption import PreemptionHook, highest, shield_workers
from .resuming import ExactResumeHook, newest_whole
from .sharding import ShardedRunner

_STOPPED = "stopped.pth"  # of a run that was asked to stop between two checkpoints
_BACKEND = "mmfastervit"


class CheckpointNotWritten(OSError):
    """A checkpoint could not be written; those before it stay."""


class ResumedApart(ValueError):
    """Processes of one run did not find the same checkpoint."""


class Diverged(ArithmeticError):
    """A loss is not a finite number; no checkpoint of it was written."""


@register_backend(_BACKEND)
class WholeFilesBackend(LocalBackend):
    """mmengine's files on this machine, each written beside its place and then moved there."""

    def put(self, obj: bytes | memoryview, filepath: str | Path) -> None:
        """Write ``obj`` to ``filepath``, all of it or nothing."""
        target = Path(filepath)
        target.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(target) as part:
            part.write_bytes(obj)


class _KeepsOutdated(LocalBackend):
    """Notes what is to be removed, for later."""

    def __init__(self) -> None:
        super().__init__()
        self.outdated: list[str] = []

    def remove(self, filepath: str | Path) -> None:
        self.outdated.append(str(filepath))

    def remove_outdated(self) -> None:
        while self.outdated:
            remove(Path(self.outdated.pop()))


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's checkpoint hook, of which a kill, a full disk or a moved folder takes nothing.

    In a config: ``default_hooks = dict(checkpoint=dict(type='mmfastervit.SafeCheckpointHook'))``;
    it takes mmengine's arguments besides its own. Every file is written beside its place, flushed
    to the disk and then moved there; what it makes outdated, an old checkpoint or an old best one,
    goes after that. ``last_checkpoint`` holds a relative name and is replaced at once. A run that
    is to be resumed from its folder takes the newest whole checkpoint there, see
    :func:`.resuming.newest_whole`, whatever ``last_checkpoint`` says. Where ``out_dir`` is no
    folder of this machine, files are written as mmengine does. A run of which a loss is not finite
    ends there, before a checkpoint of it is written.

    Args:
        exact_resume: Resume as if the run had never ended, by
            :class:`~mmfastervit.engine.resuming.ExactResumeHook`.
        stop_on_signals: End on SIGTERM and SIGINT with a checkpoint, by
            :class:`~mmfastervit.engine.preemption.PreemptionHook`.

    Raises:
        TypeError: There is no such argument.
        CheckpointDoesNotFit: While loading: a checkpoint gives nothing of the model.
        CheckpointNotWritten: While training: the disk is full, or the folder can't be written to.
        Diverged: While training: a loss, of whichever process, is not finite.
        FolderInUse: When training begins: another run writes to the same folder.
        ResumedApart: When training begins: processes did not find the same checkpoint.
    """

    file_backend: Any
    best_ckpt_path: str | None
    filename_tmpl: str

    def __init__(
        self, *args: Any, exact_resume: bool = True, stop_on_signals: bool = True, **kwargs: Any
    ):
        saved = options_of(Runner.save_checkpoint)  # which take what the hook itself does not
        for name in kwargs:
            if name not in (*options_of(CheckpointHook), *saved):
                raise TypeError(
                    f"{type(self).__name__} got an unexpected keyword argument {name!r}"
                )
        super().__init__(*args, **kwargs)
        self._claimed: Claim | None = None
        self._companions: list[Hook] = []
        if exact_resume:
            self._companions.append(ExactResumeHook())
        self.stop_on_signals = stop_on_signals
        if stop_on_signals:
            self._companions.append(PreemptionHook(self.save_now))

    def before_run(self, runner: Runner) -> None:
        """Choose the checkpoint to resume from, where the run is to find it itself."""
        runner._hooks = list(runner.hooks)  # not the list that this is called from
        for hook in self._companions:
            if hook not in runner.hooks:
                runner.register_hook(hook)
        for loop in (runner._train_loop, runner._val_loop):
            if self.stop_on_signals and isinstance(loop, BaseLoop):  # built: it trains
                shield_workers(loop.dataloader)
        if not (runner._resume and runner._load_from is None):
            return
        chosen: list[Path | None] = [None]
        if is_main_process():
            chosen = [newest_whole(self._folders(runner), runner.logger.info)]
        broadcast_object_list(chosen)
        runner._resume = chosen[0] is not None
        runner._load_from = None if chosen[0] is None else str(chosen[0])
        if chosen[0] is None:
            runner.logger.warning(f"no whole checkpoint in {runner.work_dir}: starting anew")

    def _folders(self, runner: Runner) -> list[Path]:
        work_dir = Path(runner.work_dir)
        if self.out_dir is None or Path(self.out_dir) == work_dir:
            return [work_dir]
        return [work_dir, Path(self.out_dir) / work_dir.name]

    def before_train(self, runner: Runner) -> None:
        """Settle where files go; what a checkpoint says of the best one holds for this folder."""
        super().before_train(runner)
        _check_begin_alike(runner)
        self.stopped = _STOPPED
        if isinstance(runner, ShardedRunner):
            names = (self.filename_tmpl, self.stopped)
            self.filename_tmpl, self.stopped = (Path(n).stem + SHARDED for n in names)
        self.is_local = isinstance(self.file_backend, LocalBackend)
        if not self.is_local:
            return
        self._claim(runner)
        if is_main_process():
            for folder in {runner.work_dir, self.out_dir}:
                remove_parts(Path(folder))
        self.file_backend = _KeepsOutdated()
        self.backend_args = dict(backend=_BACKEND)
        best = getattr(self, "best_ckpt_path", None)
        if best:
            self.best_ckpt_path = self._here(best)
        for key, path in getattr(self, "best_ckpt_path_dict", {}).items():
            self.best_ckpt_path_dict[key] = path and self._here(path)

    def _claim(self, runner: Runner) -> None:
        """Keep other runs out of the folder; all processes raise if another has it."""
        refusal: list[FolderInUse | None] = [None]
        if is_main_process():
            try:
                self._claimed = claim(Path(self.out_dir), runner.logger.warning)
            except FolderInUse as error:
                refusal = [error]
        broadcast_object_list(refusal)
        if refusal[0] is not None:
            raise refusal[0]

    def after_run(self, runner: Runner) -> None:
        """Let others write to the folder."""
        super().after_run(runner)
        if self._claimed is not None:
            self._claimed.release()
            self._claimed = None

    def _here(self, path: str) -> str:
        return os.path.join(self.out_dir, os.path.basename(path))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse a checkpoint that gives nothing of the model, of which mmengine only warns.

        Raises:
            CheckpointDoesNotFit: It gives nothing, or values that are no weights.
        """
        found = fit(unwrapped(runner.model), checkpoint, str(runner._load_from))
        if not found.loaded:
            raise found.refusal()

    def save_now(self, runner: Runner, iterations: int) -> str:
        """Save a checkpoint between two that are due; it goes when the next one is written.

        Args:
            runner: The runner.
            iterations: How many are done.

        Returns:
            The file.
        """
        with self._told(runner, self.stopped):
            meta = dict(epoch=runner.epoch, iter=iterations)
            self._write(runner, self.stopped, meta, by_epoch=False)
        return self._here(self.stopped)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | Sequence | None = None,
        outputs: dict | None = None,
    ) -> None:
        """End a run that has diverged, and save a checkpoint where one is due."""
        losses = {k: torch.as_tensor(v).detach() for k, v in (outputs or {}).items() if "loss" in k}
        total = losses.get("loss", torch.zeros(()))  # one look a step: each waits for the GPU
        if highest(int(not total.isfinite())):
            wrong = [f"{k} is {v.item()}" for k, v in losses.items() if not v.isfinite()]
            self._end_diverged(runner, wrong or ["a loss of another process is not finite"])
        super().after_train_iter(runner, batch_idx, data_batch, outputs)

    def _end_diverged(self, runner: Runner, wrong: list[str]) -> NoReturn:
        kept = newest_whole(self._folders(runner))
        raise Diverged(
            f"iteration {runner.iter + 1}: {', '.join(wrong)}. The run ends; its last whole "
            f"checkpoint is {kept.name if kept else 'not there yet'}. Look at the learning "
            "rate, its warm-up, optim_wrapper.clip_grad and mixed precision"
        )

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        if not self.is_local:
            super()._save_checkpoint_with_step(runner, step, meta)
            return
        outdated = [self.stopped]
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated.append(self.filename_tmpl.format(self.keep_ckpt_ids.popleft()))
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info("keep_ckpt_ids", list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self._here(name)
        runner.message_hub.update_info("last_ckpt", self.last_ckpt)
        with self._told(runner, name):
            self._write(runner, name, meta, self.by_epoch)
            if is_main_process():
                pointer = Path(runner.work_dir, POINTER)
                with written_whole(pointer) as part:
                    part.write_text(os.path.relpath(self.last_ckpt, runner.work_dir))
                for old in outdated:
                    remove(Path(self._here(old)))

    def _write(self, runner: Runner, name: str, meta: dict, by_epoch: bool) -> None:
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        with self._told(runner, "the best checkpoint"):
            super()._save_best_checkpoint(runner, metrics)
            if isinstance(self.file_backend, _KeepsOutdated) and is_main_process():
                self.file_backend.remove_outdated()

    @contextmanager
    def _told(self, runner: Runner, name: str) -> Iterator[None]:
        """Say of a file that can't be written what is left, and how to go on."""
        try:
            yield
        except CheckpointNotWritten:
            raise
        except OSError as error:
            remove_parts(Path(self.out_dir))
            kept = newest_whole(self._folders(runner))
            raise CheckpointNotWritten(
                f"{name} could not be written to {self.out_dir} ({error.strerror or error}); the "
                f"run's last whole checkpoint is {kept.name if kept else 'not there yet'}. Make "
                "room, or the folder writable, and go on by --resume"
            ) from error


def _check_begin_alike(runner: Runner) -> None:
    """Raise ResumedApart unless all processes begin at the same iteration."""
    first, last = -highest(-runner.iter), highest(runner.iter)
    if first != last:
        raise ResumedApart(
            f"this process begins at iteration {runner.iter}, another at "
            f"{last if runner.iter == first else first}: they did not find the same checkpoint. "
            "The work dir must be a folder that all machines of the run see"
        )
