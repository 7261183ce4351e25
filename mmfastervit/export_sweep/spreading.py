"""Weights of models that nobody has trained, by which they find something to compare.

Fresh weights make a head say the same everywhere: all scores are 0.01, all boxes are their anchors,
and a file that mixed up two of them would pass. So the layers after the backbone are scaled, each
when a picture first goes through it, until its outputs have a spread of one (layer-sequential
unit variance, arXiv 1511.06422), on no map more if it serves several; layers that are zero at first
are drawn. Biases of -4.6, by which
a focal loss starts with scores of 0.01, become -3, so that products of two scores are seen as well.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
_LEAST = 1e-6
_LOWEST_BIAS = -3.0


@contextmanager
def spreading(model: nn.Module, seed: int = 0) -> Iterator[None]:
    """While it lasts, scale every layer outside the backbone that a picture goes through.

    Args:
        model: In eval mode.
        seed: Of what is drawn.
    """
    random = torch.Generator().manual_seed(seed)
    outside = [
        module for name, module in model.named_modules() if "backbone" not in name.split(".")
    ]
    handles = [
        module.register_forward_hook(_scaler(random))
        for module in outside
        if isinstance(module, _LAYERS)
    ]
    for module in outside:
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            _vary(module, random)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _vary(norm: nn.BatchNorm2d, random: torch.Generator) -> None:
    """Let the statistics of a normalisation differ from channel to channel."""
    norm.running_mean.normal_(0, 0.1, generator=random)  # type: ignore[union-attr]  # it has them
    norm.running_var.uniform_(0.5, 1.5, generator=random)  # type: ignore[union-attr]  # as above


def _scaler(random: torch.Generator) -> Callable[..., Any]:
    """A hook that scales a layer the first time that it is called, and down if it spreads more."""
    seen: list[bool] = []

    @torch.no_grad()
    def scale(layer: Any, inputs: tuple, output: Tensor) -> Tensor | None:
        if not isinstance(output, Tensor) or output.numel() < 2:
            return None
        kind: Any = type(layer)
        if not seen:
            if layer.bias is not None:
                layer.bias.clamp_(min=_LOWEST_BIAS)
            if not layer.weight.any():
                fan = layer.weight[0].numel()
                layer.weight.normal_(0, math.sqrt(1 / fan), generator=random)
            output = kind.forward(layer, *inputs)
        bias = 0.0 if layer.bias is None else layer.bias
        if isinstance(bias, Tensor) and not isinstance(layer, nn.Linear):
            bias = bias[:, None, None]  # channels come before pixels
        spread = float((output - bias).std())
        least = 1 if seen else _LEAST
        seen.append(True)
        if not (math.isfinite(spread) and spread > least):
            return None
        layer.weight.div_(spread)
        return kind.forward(layer, *inputs)

    return scale
