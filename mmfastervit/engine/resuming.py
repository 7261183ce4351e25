"""Going on where a run ended: from the newest whole checkpoint, and as if it had never ended."""

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import Runner
from torch.utils.data import BatchSampler, DataLoader

from mmfastervit.checkpoint.formats import SHARDED, broken_part
from mmfastervit.checkpoint.reading import read_checkpoint
from mmfastervit.checkpoint.sharded import broken_shard, is_sharded, read_rest
from mmfastervit.registry import HOOKS

from .samples import PassingDataset


def newest_whole(
    folders: Iterable[Path], report: Callable[[str], None] = lambda line: None
) -> Path | None:
    """Find the checkpoint of a run that has come farthest, among those that can be resumed from.

    A file, or a folder of shards, counts if every byte of it is there, as its own checksums say,
    and it holds the state of an optimizer, which best and published checkpoints do not.

    Args:
        folders: Where to look: the ``work_dir``, and ``out_dir`` of the checkpoints if it differs.
        report: Gets a line on each file that is not whole, and on the one that is chosen.

    Returns:
        The file or folder; None where there is none.
    """
    found = []
    kinds = ("*.pth", f"*{SHARDED}")
    for path in (
        path for folder in folders for kind in kinds for path in sorted(folder.glob(kind))
    ):
        try:
            content = read_rest(path) if is_sharded(path) else read_checkpoint(path)
            if is_sharded(path) or "optimizer" in content:
                found.append((content["meta"]["iter"], path.stat().st_mtime, path))
        except (KeyError, OSError, TypeError, ValueError) as error:
            report(f"not resumed from: {error}")
    for iterations, _, path in sorted(found, reverse=True):
        broken = _first_broken_part(path)
        if broken is None:
            report(f"resuming from {path}, the newest whole checkpoint: {iterations} iterations")
            return path
        report(f"not resumed from: {path} is not whole ({broken})")
    return None


def check_resumable(path: Path) -> None:
    """Look whether a run can go on from a file.

    Raises:
        ValueError: It is not whole, or holds weights alone.
    """
    content = read_rest(path) if is_sharded(path) else read_checkpoint(path)
    broken = _first_broken_part(path)
    if broken is not None:
        raise ValueError(
            f"{path} is not whole ({broken}): --resume without a path takes one that is"
        )
    check_has_optimizer({**content, "optimizer": ...} if is_sharded(path) else content, str(path))


def check_has_optimizer(content: Mapping[str, Any], source: str) -> None:
    """Look whether a checkpoint holds what a run goes on from beside the weights.

    Raises:
        ValueError: It does not.
    """
    if "optimizer" not in content or "iter" not in (content.get("meta") or {}):
        raise ValueError(
            f"{source} holds no state of an optimizer, so that no run can go on from it; to start "
            f"a new one from its weights: --cfg-options load_from={source}"
        )


def _first_broken_part(path: Path) -> str | None:
    """What of a checkpoint fails its checksum; None where all of it is whole."""
    return broken_shard(path) if is_sharded(path) else broken_part(path)


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Makes a resumed run equal to one that was never interrupted.

    In a config: ``custom_hooks = [dict(type='mmfastervit.ExactResumeHook')]``, from the start of
    the run; SafeCheckpointHook brings it. Random numbers are a function of the run's seed, the
    process and the iteration alone: those of a training step of its number, those of a sample of
    the number of its step and its place in the batch, in whatever worker it is loaded. So there is
    no state to save. What a run has trained on is skipped in the sampler, without loading it; also
    in the middle of an epoch, where the checkpoint is one by iteration.

    What it is equal to is a run on the same number of processes; the number of workers, 0 included,
    makes no difference.
    """

    priority = "VERY_HIGH"

    def before_train(self, runner: Runner) -> None:
        """Put samplers in place that start where the run is."""
        loop, loader = runner.train_loop, runner.train_dataloader
        seed = _shared_seed(runner)
        batches = SeededBatches(_fresh_batches(runner, loader, seed), seed)
        dataset = SeededDataset(loader.dataset)
        parts = dict(batch_sampler=batches, sampler=batches.sampler, dataset=dataset)
        for name, part in parts.items():
            object.__setattr__(loader, name, part)  # torch has no other way
        loader._iterator = None  # of persistent workers, which have the old ones
        iterator = getattr(loop, "dataloader_iterator", None)
        if iterator is not None:  # of a loop by iterations
            iterator._epoch = batches.skip(loop.iter)
            iterator._iterator = iter(loader)
            loop.dataloader_iterator = _Ahead(iterator, loop.iter)

    def before_train_epoch(self, runner: Runner) -> None:
        """Skip what a run that was resumed in the middle of an epoch has trained on."""
        if not hasattr(runner.train_loop, "dataloader_iterator"):
            batches = runner.train_dataloader.batch_sampler
            batches.position = runner.epoch * len(batches)
            batches.to_skip = runner.iter - batches.position

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | Sequence | None = None
    ) -> None:
        """Seed the step."""
        seed_all(_mixed(runner.seed, "step", get_rank(), runner.iter))

    def after_train(self, runner: Runner) -> None:
        """Let workers end; left to Python's garbage collector, each waits five seconds."""
        runner.train_dataloader._iterator = None
        ahead = getattr(runner.train_loop, "dataloader_iterator", None)
        if ahead is not None:
            ahead.iterator._iterator = None


class SeededBatches:
    """A batch sampler over another, whose indices carry the seed of their sample.

    Args:
        batches: The other one.
        seed: Of the run, the same in all processes.
    """

    def __init__(self, batches: BatchSampler, seed: int):
        self.batches, self.seed, self.rank = batches, seed, get_rank()
        self.position = self.to_skip = 0  # of the next batch in the run; batches that are passed by
        self._started: Iterator | None = None

    @property
    def sampler(self) -> Any:
        """The sampler of single indices, of which mmengine sets the epoch."""
        return self.batches.sampler

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list["SeededIndex"]]:
        started, self._started = self._started or iter(self.batches), None
        for batch in started:
            position, self.position = self.position, self.position + 1
            if self.to_skip:
                self.to_skip -= 1
                continue
            seeds = (_mixed(self.seed, "sample", self.rank, position, i) for i in range(len(batch)))
            yield list(map(SeededIndex, batch, seeds))

    def skip(self, count: int) -> int:
        """Pass by ``count`` batches of as many passes over the data as that takes.

        Returns:
            The number of passes that are over.
        """
        passes, self._started = 0, iter(self.batches)
        for _ in range(count):
            while next(self._started, None) is None:
                passes += 1
                if hasattr(self.sampler, "set_epoch"):
                    self.sampler.set_epoch(passes)
                self._started = iter(self.batches)
        self.position = count
        return passes


class SeededIndex(int):
    """The index of a sample, with the seed of the random numbers that loading it draws."""

    seed: int

    def __new__(cls, index: int, seed: int) -> "SeededIndex":
        """Make one of an index and a seed."""
        made = super().__new__(cls, index)
        made.seed = seed
        return made

    def __reduce__(self) -> tuple:
        return type(self), (int(self), self.seed)


class SeededDataset(PassingDataset):
    """A data set that seeds all random numbers before it loads a sample; else the one it holds."""

    def __getitem__(self, index: int) -> Any:
        if isinstance(index, SeededIndex):
            seed_all(index.seed)
        return self.inner[int(index)]


class _Ahead:
    """An iterator of which the first steps were taken already: asked for them, it does nothing."""

    def __init__(self, iterator: Iterator, taken: int):
        self.iterator, self.taken = iterator, taken

    def __iter__(self) -> "_Ahead":
        return self

    def __next__(self) -> Any:
        if self.taken:
            self.taken -= 1
            return None
        return next(self.iterator)

    def skip_iter(self, count: int) -> None:
        """Take ``count`` of these steps, as some versions of mmengine ask."""
        self.taken -= count


def seed_all(seed: int) -> None:
    """Seed the random numbers of Python, numpy and torch, those of its GPUs included."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _mixed(*parts: int | str) -> int:
    """A seed that depends on all parts, of 64 bits."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def _shared_seed(runner: Runner) -> int:
    """The run's seed; mmengine adds the process's number to it where ``diff_rank_seed`` is set."""
    return runner.seed - (get_rank() if runner._randomness_cfg.get("diff_rank_seed") else 0)


def _fresh_batches(runner: Runner, loader: DataLoader, seed: int) -> BatchSampler:
    """Build the loader's samplers again: some were seeded, and begun, before the run was resumed.

    Those that no config describes are taken as they are.
    """
    old = cast(BatchSampler, loader.batch_sampler)
    cfg = runner.cfg.get("train_dataloader") or ConfigDict()
    sampler = old.sampler
    if isinstance(cfg.get("sampler"), dict):
        own = dict(dataset=loader.dataset, seed=seed)
        sampler = DATA_SAMPLERS.build(ConfigDict(cfg.sampler), default_args=own)
    if isinstance(cfg.get("batch_sampler"), dict):
        own = dict(sampler=sampler, batch_size=cfg.batch_size)
        return DATA_SAMPLERS.build(ConfigDict(cfg.batch_sampler), default_args=own)
    if type(old) is BatchSampler:
        return BatchSampler(sampler, old.batch_size, old.drop_last)
    return old
