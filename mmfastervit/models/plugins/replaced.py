"""HAT instead of a host's window attention: its blocks joined by carrier tokens.

The blocks stay the modules they are, in the container they are in. Only what calling them runs is
replaced: each block's ``forward`` is that of the HAT block that it got as ``hat``.
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from mmfastervit.models.initialization import initialize
from mmfastervit.models.layers.attention import AttentionLayer
from mmfastervit.models.layers.hat import (
    CarrierTokenizer,
    HATBlock,
    find_windows,
    make_tokens,
    split_tokens,
)
from mmfastervit.models.layers.recomputation import run_block
from mmfastervit.models.layers.windows import Windows

from .hat_plugin import check_at_least_one
from .hosts import HostWindow, Stage, as_map, make_alike

SWIN_BIAS = 0.0  # around which Swin's position biases lie
# What one joined block hands to the next: carriers and pixels (B, nh*nw*c*c + H*W, C)
JoinedTokens = tuple[Tensor, Windows]


class JoinedBlock(HATBlock):
    """A HAT block that attends by the weights of a host's block, which calls it.

    Args:
        window: The host's block.
        carrier: The layer that attends among all carriers.
        carrier_size: Carrier tokens along the side of a window.
        is_last: Whether this is the last block of its stage, which drops the carriers.
        with_cp: Recompute the block in the backward pass.
    """

    window: HostWindow

    def __init__(
        self,
        window: HostWindow,
        carrier: AttentionLayer,
        carrier_size: int,
        is_last: bool,
        with_cp: bool,
    ):
        super().__init__(window, carrier, carrier_key_bias=SWIN_BIAS)
        self.carrier_size = carrier_size
        self.is_last = is_last
        self.with_cp = with_cp

    def run(
        self, x: Tensor | JoinedTokens, hw_shape: Sequence[int] | None = None
    ) -> Tensor | JoinedTokens:
        """Do what the host's block is called for.

        Args:
            x: In the first block of a stage (B, H, W, C), or (B, H*W, C) with ``hw_shape``; in
                the others what the block before returned.
            hw_shape: (H, W).

        Returns:
            What the next block takes; of the last one, a map like that which the first took.
        """
        if isinstance(x, Tensor):
            x = as_map(x, hw_shape)
            side = self.window.attention.window_size[0]
            windows = find_windows(x, side, self.carrier_size, self.shelf)
            x = make_tokens(x, self.window.block.tokenizer, windows), windows
        tokens, windows = x
        tokens = run_block(self, tokens, windows, with_cp=self.with_cp)
        if not self.is_last:
            return tokens, windows
        grid = windows.grid
        pixels = split_tokens(tokens, grid)[1]
        return pixels.unflatten(1, (grid.height, grid.width)) if hw_shape is None else pixels


def prepare_replace(
    as_window: Callable[[nn.Module], HostWindow],
    stage: Stage,
    carrier_size: int = 2,
    mlp_ratio: float = 4.0,
    drop_path_rate: float = 0.0,
    with_cp: bool | None = None,
) -> Callable[[], None]:
    """Make the carriers of one stage, with the host's heads; what is returned attaches them."""
    check_at_least_one(carrier_size=carrier_size)
    windows = [as_window(block) for block in stage.blocks]
    side = common_window(stage.path, windows)
    if carrier_size > side:
        raise ValueError(f"carrier_size={carrier_size} exceeds the windows' side, {side}")

    tokenizer = CarrierTokenizer(stage.channels)
    hats = [
        JoinedBlock(
            window,
            AttentionLayer(stage.channels, window.attention.num_heads, mlp_ratio, drop_path_rate),
            carrier_size,
            is_last=window is windows[-1],
            with_cp=stage.with_cp if with_cp is None else with_cp,
        )
        for window in windows
    ]
    made = nn.ModuleList((tokenizer, *hats))
    made.apply(initialize)
    make_alike(made, stage)

    def attach() -> None:
        for window, hat in zip(windows, hats, strict=True):
            window.block.hat = hat
            window.block.forward = hat.run
        windows[0].block.tokenizer = tokenizer

    return attach


def common_window(path: str, windows: Sequence[HostWindow]) -> int:
    """Side of the windows of a stage.

    Raises:
        ValueError: The attention of a block is not Swin's, or windows are not square and alike.
    """
    for window in windows:
        if not hasattr(window.attention, "relative_position_bias_table"):
            raise ValueError(
                f"mode='replace' keeps Swin's table of position biases, which {path} has not "
                f"({type(window.attention).__name__}): take mode='append'"
            )
    sides = {side for window in windows for side in window.attention.window_size}
    if len(sides) > 1:
        raise ValueError(f"mode='replace' takes square windows of one size, not {sides} in {path}")
    return sides.pop()
