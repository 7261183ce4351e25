"""HAT after the blocks of a host's stage: a plug-in for maps of the host's layout."""

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from mmfastervit.signatures import options_of

from .hat_plugin import HATPlugin
from .hosts import Stage, from_nhwc, from_tokens, make_alike, to_nhwc, to_tokens

OPTIONS = options_of(HATPlugin, without=("in_channels",))


class AppendedHAT(HATPlugin):
    """HAT at the end of a host's stage, whose maps are (B, C, H, W)."""


class AppendedHATNHWC(AppendedHAT):
    """HAT at the end of a stage whose maps are (B, H, W, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H, W, C) to the same shape."""
        return to_nhwc(super().forward(from_nhwc(x)))


class AppendedHATTokens(AppendedHAT):
    """HAT at the end of a stage whose maps are (B, H*W, C)."""

    def forward(self, x: Tensor, hw_shape: Sequence[int]) -> Tensor:  # type: ignore[override]  # as the host calls it
        """Map (B, H*W, C) to the same shape; ``hw_shape`` is (H, W)."""
        return to_tokens(super().forward(from_tokens(x, hw_shape)))


APPENDED = {"NCHW": AppendedHAT, "NHWC": AppendedHATNHWC, "tokens": AppendedHATTokens}


def prepare_append(stage: Stage, options: Mapping) -> Callable[[], list[str]]:
    """Make the plug-in of one stage; what is returned attaches it and tells its name."""
    hat = APPENDED[stage.layout](stage.channels, **{"with_cp": stage.with_cp, **options})
    make_alike(hat, stage)

    def attach() -> list[str]:
        stage.blocks.append(hat)
        return [f"{stage.path}.{len(stage.blocks) - 1}"]

    return attach
