"""A runtime for tests: torch, on a file that has the model itself."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn


class TorchFile:
    """Runs a model that :func:`write` has saved; its name is added to ``seen`` at each call."""

    told, package, extra = "Torch's file", "torch", "none"
    seen: list[str]
    factor = 1.0  # of what it computes, for files that are wrong

    def __init__(self, path: Path, precision: str = "fp32"):
        self.model = torch.load(path, weights_only=False)

    def __call__(self, pictures: Any) -> dict[str, np.ndarray]:
        self.seen.append("file")
        with torch.no_grad():
            maps = self.model(torch.from_numpy(pictures))
        return {str(place): self.factor * one.numpy() for place, one in enumerate(maps)}

    @staticmethod
    def why_no_bf16() -> str:
        return "it is made of torch"


def write(model: nn.Module, path: Path) -> None:
    """Save a model whole."""
    torch.save(model, path)
