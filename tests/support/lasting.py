"""A small run with every kind of random number, to be interrupted and gone on with."""

import random
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import is_distributed
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmfastervit.checkpoint.reading import read_checkpoint

PARTS = ("state_dict", "ema_state_dict", "optimizer", "param_schedulers")
EPOCHS, EPOCH = 3, 5  # five iterations of four samples
ITERATIONS = EPOCHS * EPOCH


@DATASETS.register_module()
class Drawn(Dataset):
    """Samples that are drawn anew each time, by all generators of random numbers."""

    @property
    def metainfo(self) -> dict:
        return dict(classes=("a",))

    def __len__(self) -> int:
        return 4 * EPOCH

    def __getitem__(self, index: int) -> Tensor:
        return torch.tensor([index + random.random(), np.random.rand(), torch.rand(()).item()])


@MODELS.register_module()
class Dropping(BaseModel):
    """A layer whose inputs are dropped at random."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, *inputs: Tensor, mode: str = "tensor") -> Any:
        dropped = torch.dropout(torch.stack(inputs), 0.5, self.training)
        loss = self.layer(dropped).square().mean()
        return dict(loss=loss) if mode == "loss" else loss

    def val_step(self, data: list[Tensor]) -> list[float]:
        return [self(*data).item()]


@METRICS.register_module()
class Score(BaseMetric):
    """Higher after each evaluation, so that each gives a new best checkpoint."""

    evaluations = 0

    def process(self, data_batch: list, data_samples: list[float]) -> None:
        self.results.append(0)

    def compute_metrics(self, results: list) -> dict:
        type(self).evaluations += 1
        return dict(score=type(self).evaluations)


def make_runner(
    work_dir: Path,
    by_epoch: bool = True,
    workers: int = 0,
    resume: bool = False,
    evaluate: bool = False,
    sampler: dict | None = None,
    **checkpoint: Any,
) -> Runner:
    """Build the run, of all processes; ``checkpoint`` are settings of its checkpoint hook."""
    sampler = sampler or dict(
        type="DefaultSampler" if by_epoch else "InfiniteSampler", shuffle=True
    )
    data = dict(type="Drawn")
    content = dict(
        model=dict(type="Dropping"),
        train_dataloader=dict(
            dataset=data,
            batch_size=4,
            sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=EPOCHS)
        if by_epoch
        else dict(by_epoch=False, max_iters=ITERATIONS, val_interval=EPOCH),
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=0.01)),
        param_scheduler=dict(type="PolyLR", by_epoch=False, end=ITERATIONS),
        default_hooks=dict(
            checkpoint=dict(
                dict(type="mmfastervit.SafeCheckpointHook", by_epoch=by_epoch, interval=1),
                **checkpoint,
            ),
        ),
        custom_hooks=[dict(type="EMAHook")],
        log_processor=dict(by_epoch=by_epoch),
        randomness=dict(seed=1),
        log_level="WARNING",
    )
    if evaluate:
        content |= dict(
            val_dataloader=dict(
                dataset=data, batch_size=1, sampler=dict(type="DefaultSampler", shuffle=False)
            ),
            val_cfg=dict(),
            val_evaluator=dict(type="Score"),
        )
    if is_distributed():
        wrapper = dict(type="MMDistributedDataParallel", device_ids=None)
        content |= dict(launcher="pytorch", model_wrapper_cfg=wrapper)
    cfg = Config(dict(content, work_dir=str(work_dir), resume=resume))
    cfg.experiment_name = uuid.uuid4().hex  # mmengine shares logs between runs of one name
    return Runner.from_cfg(cfg)


def assert_ended_alike(*files: Path) -> None:
    """Assert that weights, averaged weights, optimizer and schedule of checkpoints are equal."""
    first, second = (read_checkpoint(file) for file in files)
    parts = [part for part in PARTS if part in first]
    assert {"state_dict", "optimizer"} <= set(parts)
    for part in parts:
        pairs = zip(_leaves(first[part]), _leaves(second[part]), strict=True)
        assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in pairs), part


def _leaves(value: Any) -> list:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, (list, tuple)):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [value] if isinstance(value, (Tensor, int, float)) else []
