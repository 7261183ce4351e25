"""HAT after the blocks of a host's stage: a plug-in for maps of the host's layout."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from .hat_plugin import HATPlugin
from .hosts import Stage, as_map, make_alike


class AppendedHAT(HATPlugin):
    """HAT at the end of a host's stage, whose maps are (B, C, H, W)."""


class AppendedHATChannelsLast(AppendedHAT):
    """HAT at the end of a stage whose maps are (B, H, W, C) or (B, H*W, C)."""

    def forward(self, x: Tensor, hw_shape: Sequence[int] | None = None) -> Tensor:
        """Map (B, H, W, C), or (B, H*W, C) with ``hw_shape``, (H, W), to the same shape."""
        x = super().forward(as_map(x, hw_shape))
        return x.permute(0, 2, 3, 1) if hw_shape is None else x.flatten(2).transpose(1, 2)


def prepare_append(stage: Stage, **options: Any) -> Callable[[], Any]:
    """Make the plug-in of one stage; what is returned attaches it."""
    kind = AppendedHAT if stage.layout == "NCHW" else AppendedHATChannelsLast
    hat = kind(stage.channels, **{"with_cp": stage.with_cp, **options})
    make_alike(hat, stage)
    return partial(stage.blocks.append, hat)
