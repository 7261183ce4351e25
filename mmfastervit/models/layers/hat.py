"""Hierarchical attention (HAT): windows that talk through carrier tokens.

FasterViT, arXiv 2306.06189, section 3.3, for maps of any size.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import AttentionLayer
from .checkpointing import run_block
from .positions import TableCache
from .windows import (
    WindowGrid,
    carrier_key_mask,
    carrier_pooling,
    partition,
    reverse,
    upsample_carriers,
    window_key_mask,
)

CARRIER_POSITIONS = ("interpolate", "extrapolate")


class BlockTables(NamedTuple):
    """What a block adds to its tokens and logits on one grid (L = window**2, c = carrier_size)."""

    window_position: Tensor  # (L, C)
    window_bias: Tensor  # (1 or nh*nw, heads, c*c + L, c*c + L)
    carrier_position: Tensor | None  # (nh*nw, c*c, C)
    carrier_bias: Tensor | None  # (1, heads, nh*nw*c*c, nh*nw*c*c)


class CarrierTokenizer(nn.Module):
    """Makes the carrier tokens of a map: depthwise convolution, then pooling to the carrier grid.

    Args:
        channels: Channels of the map.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, x: Tensor, grid: WindowGrid) -> Tensor:
        """Map (B, C, H, W) to carriers (B, nh*nw, c*c, C) in window order."""
        x = self.conv(x)
        rows, columns = (
            carrier_pooling(length, grid.window, grid.carrier_size, x.device).to(x.dtype)
            for length in (grid.height, grid.width)
        )
        carriers = rows @ (x @ columns.t())  # (B, C, nh*c, nw*c)
        return partition(carriers.permute(0, 2, 3, 1), grid.carrier_size)


class HATBlock(nn.Module):
    """One block of hierarchical attention, or of plain window attention when there are no carriers.

    Args:
        channels: Channels of a token.
        num_heads: Attention heads, of windows and carriers alike.
        has_carriers: Whether the block attends among carriers and windows see theirs.
        mlp_ratio: Hidden features of the MLPs over ``channels``.
        drop_path: Probability that an image skips a residual branch in training.
        layer_scale: Initial value of the layer scales; None for none.
        carrier_reference: Side of the carrier grid by which carrier positions are normalised;
            None takes each grid's own.
    """

    def __init__(
        self,
        channels: int,
        num_heads: int,
        has_carriers: bool,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.0,
        layer_scale: float | None = None,
        carrier_reference: int | None = None,
    ):
        super().__init__()
        options = dict(mlp_ratio=mlp_ratio, drop_path=drop_path, layer_scale=layer_scale)
        self.window = AttentionLayer(channels, num_heads, **options)
        self.carrier = AttentionLayer(channels, num_heads, **options) if has_carriers else None
        self.carrier_reference = carrier_reference
        self._cache = TableCache()

    def forward(
        self, tokens: Tensor, carriers: Tensor | None, grid: WindowGrid
    ) -> tuple[Tensor, Tensor | None]:
        """Run the block.

        Args:
            tokens: (B, nh*nw, window**2, C).
            carriers: (B, nh*nw, c*c, C), or None for a block without them.
            grid: Where the windows lie.

        Returns:
            Tokens and carriers, of the shapes given.
        """
        tables = self.tables(grid, tokens)
        tokens = tokens + tables.window_position
        if self.carrier is None:
            return self.window(tokens, tables.window_bias), None
        carriers = self._attend_carriers(carriers + tables.carrier_position, tables.carrier_bias)
        joined = self.window(torch.cat((carriers, tokens), dim=2), tables.window_bias)
        carriers, tokens = joined.split((carriers.shape[2], tokens.shape[2]), dim=2)
        return tokens, carriers

    def _attend_carriers(self, carriers: Tensor, bias: Tensor) -> Tensor:
        everyone = carriers.flatten(1, 2).unsqueeze(1)  # (B, 1, nh*nw*c*c, C)
        return self.carrier(everyone, bias).view_as(carriers)

    def tables(self, grid: WindowGrid, tokens: Tensor) -> BlockTables:
        """Position tables for a grid, in the precisions ``tokens`` are kept and multiplied in.

        Where no gradient can reach them they are kept for the next map of the same size.
        """
        dtypes = tokens.dtype, matmul_dtype(tokens)
        weights = list(self._position_weights())
        learning = torch.is_grad_enabled() and any(weight.requires_grad for weight in weights)
        if self.training or learning or torch.compiler.is_compiling():
            return self._compute_tables(grid, *dtypes)
        versions = tuple((w.data_ptr(), 0 if w.is_inference() else w._version) for w in weights)
        key = (grid, dtypes, tokens.device, versions, torch.is_inference_mode_enabled())
        with torch.no_grad():
            return self._cache.get(key, lambda: self._compute_tables(grid, *dtypes))

    def train(self, mode: bool = True) -> "HATBlock":
        self._cache.clear()  # weights may have changed in ways their versions do not show (EMA)
        return super().train(mode)

    def _apply(self, *args, **kwargs) -> "HATBlock":
        self._cache.clear()
        return super()._apply(*args, **kwargs)

    def _position_weights(self) -> Iterator[nn.Parameter]:
        for layer in (self.window, self.carrier):
            if layer is not None:
                yield from layer.position.parameters()
                yield from layer.relative_bias.parameters()

    def _compute_tables(
        self, grid: WindowGrid, dtype: torch.dtype, bias_dtype: torch.dtype
    ) -> BlockTables:
        side, device = grid.window, self.window.position.fc1.weight.device
        keys = window_key_mask(grid, device)  # (nh*nw, L)
        position = self.window.position(side, side, side)
        bias = self.window.relative_bias(side, side, side)[None]
        carrier_position = carrier_bias = None
        if self.carrier is not None:
            bias = F.pad(bias, (grid.carrier_size**2, 0) * 2)  # to and from carriers: no bias
            carrier_keys = carrier_key_mask(grid, device)  # (nh*nw, c*c)
            keys = torch.cat((carrier_keys, keys), dim=1)
            layout = *grid.carrier_shape, grid.carrier_size, self.carrier_reference
            carrier_position = self.carrier.position(*layout).unflatten(0, carrier_keys.shape)
            carrier_bias = self.carrier.relative_bias(*layout)[None]
            if grid.is_padded:
                carrier_bias = hide_keys(carrier_bias, carrier_keys.flatten()[None])
            carrier_position, carrier_bias = carrier_position.to(dtype), carrier_bias.to(bias_dtype)
        if grid.is_padded:
            bias = hide_keys(bias, keys)
        return BlockTables(position.to(dtype), bias.to(bias_dtype), carrier_position, carrier_bias)


class AttentionStage(nn.Module):
    """Blocks of hierarchical or window attention on a map of any size.

    The map is cut into windows once, bottom and right padded to whole windows; what stands in the
    padding is masked, so it reaches no pixel of the output.

    Args:
        channels: Channels of the map.
        depth: Number of blocks.
        num_heads: Attention heads.
        window: Side of a window, in pixels.
        carrier_size: Carriers along the side of a window; 0 for window attention without carriers.
        mlp_ratio: Hidden features of the MLPs over ``channels``.
        drop_path: One probability a block.
        layer_scale: Initial value of the layer scales; None for none.
        propagate: Add the last block's carriers to the pixels they stand for.
        carrier_position: ``'interpolate'`` normalises carrier positions by the grid's own side,
            ``'extrapolate'`` by that of the pretraining grid, two windows.
        with_cp: Recompute each block in the backward pass instead of keeping its activations.
    """

    def __init__(
        self,
        channels: int,
        depth: int,
        num_heads: int,
        window: int,
        carrier_size: int = 0,
        *,
        mlp_ratio: float = 4.0,
        drop_path: Sequence[float] | None = None,
        layer_scale: float | None = None,
        propagate: bool = False,
        carrier_position: str = "interpolate",
        with_cp: bool = False,
    ):
        super().__init__()
        if carrier_position not in CARRIER_POSITIONS:
            raise ValueError(
                f"carrier_position must be one of {CARRIER_POSITIONS}, not {carrier_position!r}"
            )
        if carrier_size > window:
            raise ValueError(f"carrier_size={carrier_size} exceeds the window's side, {window}")
        self.window = window
        self.carrier_size = carrier_size
        self.propagate = propagate and carrier_size > 0
        self.with_cp = with_cp
        self.tokenizer = CarrierTokenizer(channels) if carrier_size else None
        self.blocks = nn.ModuleList(
            HATBlock(
                channels,
                num_heads,
                has_carriers=carrier_size > 0,
                mlp_ratio=mlp_ratio,
                drop_path=rate,
                layer_scale=layer_scale,
                carrier_reference=2 * carrier_size if carrier_position == "extrapolate" else None,
            )
            for rate in (drop_path or [0.0] * depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        grid = WindowGrid(*x.shape[2:], self.window, self.carrier_size)
        carriers = None if self.tokenizer is None else self.tokenizer(x, grid)
        tokens = partition(x.permute(0, 2, 3, 1), self.window)
        for block in self.blocks:
            tokens, carriers = run_block(block, tokens, carriers, grid, with_cp=self.with_cp)
        if self.propagate:
            spread = upsample_carriers(carriers, self.carrier_size, self.window)
            tokens = tokens + self.blocks[-1].carrier.scale1(spread)
        return reverse(tokens, self.window, grid.height, grid.width).permute(0, 3, 1, 2)


def hide_keys(bias: Tensor, keys: Tensor) -> Tensor:
    """Mask a bias (1, heads, N, N) by visible keys (G, N), one row a group: (G, heads, N, N)."""
    return bias.masked_fill(~keys[:, None, None], -torch.inf)


def matmul_dtype(x: Tensor) -> torch.dtype:
    """Precision in which linear layers and attention compute on ``x``, autocast considered."""
    if torch.is_autocast_enabled(x.device.type):
        return torch.get_autocast_dtype(x.device.type)
    return x.dtype
