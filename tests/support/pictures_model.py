"""A FasterViT that is trained to tell drawn pictures apart, for runs in several processes."""

from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmfastervit import FasterViT

ARCH = dict(
    dim=8,
    in_dim=8,
    depths=(1, 1, 2, 1),
    num_heads=(1, 1, 2, 2),
    layer_scale=0.5,
    propagate=True,
)


@DATASETS.register_module()
class Pictures(Dataset):
    """Sixteen fixed pictures of 64x64 pixels."""

    @property
    def metainfo(self) -> dict:
        return dict(classes=("a",))

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(index)
        return dict(inputs=torch.randn(3, 64, 64, generator=generator))


@MODELS.register_module()
class Teller(BaseModel):
    """A backbone without batch statistics, so that a batch may be split, and a linear head."""

    def __init__(self, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.backbone = FasterViT(ARCH, drop_path_rate=0.0, norm_eval=True, out_indices=(2, 3))
        self.head = nn.Linear(96, 4)

    def forward(self, inputs: list[Tensor], mode: str = "tensor") -> Any:
        maps = self.backbone(torch.stack(inputs))
        told = self.head(torch.cat([one.mean((2, 3)) for one in maps], 1))
        return dict(loss=(told - 1).square().mean()) if mode == "loss" else told
