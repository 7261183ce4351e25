"""What ``tiny_config.py`` trains: a model of two layers on sixteen points."""

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from torch import nn
from torch.utils.data import Dataset


@DATASETS.register_module()
class Points(Dataset):
    """Fixed random points."""

    @property
    def metainfo(self) -> dict:
        return dict(classes=("a", "b"), palette=[[1, 2, 3], [4, 5, 6]])

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.randn(4, generator=torch.Generator().manual_seed(index))


@DATASETS.register_module()
class BrokenPoints(Points):
    """Points of which one can't be loaded."""

    def __getitem__(self, index: int) -> torch.Tensor:
        if index == 5:
            raise OSError("image file is truncated")
        return super().__getitem__(index)

    def get_data_info(self, index: int) -> dict:
        return dict(img_path=f"points/{index}.jpg")


@MODELS.register_module()
class Tiny(BaseModel):
    """Parameters and buffers, so that a checkpoint holds both kinds of state."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))

    def forward(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return (self.layers(torch.stack(inputs)) - 1).pow(2).mean(dim=1)

    def train_step(self, data: list[torch.Tensor], optim_wrapper) -> dict:
        loss, logs = self.parse_losses(dict(loss=self(data).mean()))
        optim_wrapper.update_params(loss)
        return logs

    def test_step(self, data: list[torch.Tensor]) -> list[dict]:
        return [dict(error=error.item()) for error in self(data)]


@METRICS.register_module()
class MeanError(BaseMetric):
    """Mean of the points' errors."""

    def process(self, data_batch: list, data_samples: Sequence[dict]) -> None:
        self.results.extend(sample["error"] for sample in data_samples)

    def compute_metrics(self, results: list[float]) -> dict:
        return dict(error=sum(results) / len(results))
