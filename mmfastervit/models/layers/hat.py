"""Hierarchical attention (HAT): windows that talk through carrier tokens.

FasterViT, arXiv 2306.06189, section 3.3, for maps of any size.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import graph
from .attention import AttentionLayer
from .linear import matmul_dtype
from .mlp import add
from .recomputation import run_block
from .tables import Shelf, share_cache
from .windows import WindowGrid, Windows, locate_tokens

CARRIER_POSITIONS = ("interpolate", "extrapolate")


class BlockTables(NamedTuple):
    """What a block adds to its tokens and logits on one grid (L = window**2, c = carrier_size)."""

    window_position: Tensor | None  # (L, C)
    window_bias: Tensor  # (heads, c*c + L, c*c + L), or (nh*nw, ...) of these where padded
    carrier_position: Tensor | None  # (nh*nw*c*c, C)
    carrier_bias: Tensor | None  # (heads, nh*nw*c*c, nh*nw*c*c)


class BlockWeights(NamedTuple):
    """How much tokens listen to each other in a block; each row of keys sums to 1."""

    # in windows (B, nh*nw, heads, N, N), N = c*c + window**2, carriers first, or window**2
    windows: Tensor
    carriers: Tensor | None  # among all carriers in window order (B, heads, nh*nw*c*c, nh*nw*c*c)


class CarrierTokenizer(nn.Module):
    """Makes the carrier tokens of a map: depthwise convolution, then pooling to the carrier grid.

    Args:
        channels: Channels of the map.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, x: Tensor, windows: Windows) -> Tensor:
        """Map (B, C, H, W) to carriers (B, nh*nw*c*c, C) in window order."""
        if windows.pooling is None or windows.carriers is None:
            raise ValueError("these windows have no carriers")
        x = self.conv(x)
        rows, columns = (matrix.to(x.dtype) for matrix in windows.pooling)
        carriers = rows @ (x @ columns.t())  # (B, C, nh*c, nw*c)
        return carriers.flatten(2).transpose(1, 2).index_select(1, windows.carriers)


class HATBlock(nn.Module):
    """One block of hierarchical attention, or of plain window attention when there are no carriers.

    Args:
        window: The layer that attends inside windows: an :class:`AttentionLayer`, or what offers
            its ``position`` (None for no embedding), ``relative_bias`` and ``position_weights`` and
            is called alike.
        carrier: The layer that attends among all carriers, with as many heads; None where there
            are no carriers.
        carrier_reference: Side of the carrier grid by which carrier positions are normalised;
            None takes each grid's own.
        carrier_key_bias: Initial value of a learned bias, one a head, on the logits by which the
            pixels of a window attend to its carriers; None leaves these at 0, as pretrained
            FasterViT has them.
    """

    deployed = False  # whether the position weights are final, see deploy()
    window: Any

    def __init__(
        self,
        window: Any,
        carrier: AttentionLayer | None = None,
        carrier_reference: int | None = None,
        carrier_key_bias: float | None = None,
    ):
        super().__init__()
        self.window = window
        self.carrier = carrier
        self.carrier_reference = carrier_reference
        self.carrier_key_bias = None
        if carrier is not None and carrier_key_bias is not None:
            heads = torch.full((carrier.attn.num_heads,), float(carrier_key_bias))
            self.carrier_key_bias = nn.Parameter(heads)
        self.shelf = Shelf()

    def forward(self, x: Tensor, windows: Windows) -> Tensor:
        """Map tokens (B, nh*nw*c*c + H*W, C) to the same shape; see :class:`Windows`."""
        tables = self.tables(windows, x)
        carriers, pixels = self._place(x, windows, tables)
        if self.carrier is None:
            return self.window(pixels, tables.window_bias, windows)
        carriers = self.carrier(carriers, tables.carrier_bias)
        return self.window(torch.cat((carriers, pixels), dim=1), tables.window_bias, windows)

    def attention_weights(self, x: Tensor, windows: Windows) -> BlockWeights:
        """How much the tokens listen to each other when the block is called with these arguments.

        Computed beside the block: its own kernels keep no weights.
        """
        tables = self.tables(windows, x)
        carriers, pixels = self._place(x, windows, tables)
        if self.carrier is None or tables.carrier_bias is None:
            return BlockWeights(
                self.window.attention_weights(pixels, tables.window_bias, windows), None
            )
        among = self.carrier.attention_weights(carriers, tables.carrier_bias)
        carriers = self.carrier(carriers, tables.carrier_bias)
        tokens = torch.cat((carriers, pixels), dim=1)
        return BlockWeights(
            self.window.attention_weights(tokens, tables.window_bias, windows), among[:, 0]
        )

    def _place(self, x: Tensor, windows: Windows, tables: BlockTables) -> tuple[Tensor, Tensor]:
        """Carriers (B, nh*nw*c*c, C) and pixels (B, H*W, C) with their positions added."""
        carriers, pixels = split_tokens(x, windows.grid)
        if tables.window_position is not None:
            pixels = pixels + tables.window_position.index_select(0, windows.inside)
        if tables.carrier_position is not None:
            carriers = carriers + tables.carrier_position
        return carriers, pixels

    def tables(self, windows: Windows, tokens: Tensor) -> BlockTables:
        """Position tables for a map, in the precisions ``tokens`` are kept and multiplied in.

        Where no gradient can reach them they are kept for the next map of the same size.
        """
        precisions = tokens.dtype, matmul_dtype(tokens)
        compute = partial(self._compute_tables, windows, *precisions)
        if not graph.is_fixed():
            return compute()
        key: tuple = windows.grid, tokens.device, precisions, torch.is_inference_mode_enabled()
        if not self.deployed:
            weights = self._position_weights()
            learning = any(weight.requires_grad for weight in weights) and graph.has_backward()
            if self.training or learning or not weights:  # replicas of DataParallel list none
                return compute()
            key += tuple((w.data_ptr(), 0 if w.is_inference() else w._version) for w in weights)
        with torch.no_grad():
            return self.shelf.get(key, compute)

    def train(self, mode: bool = True) -> "HATBlock":
        if mode and self.deployed:
            raise RuntimeError(
                "this HATBlock is deployed and cannot be trained: build the model again and load "
                "its checkpoint"
            )
        self.shelf.clear()  # weights may have changed in ways their versions do not show (EMA)
        return super().train(mode)

    def fold(self) -> None:
        """Nothing is folded; from here on the weights of the position tables are final."""

    def _apply(self, *args: Any, **kwargs: Any) -> "HATBlock":
        self.shelf.clear()
        return super()._apply(*args, **kwargs)

    def _position_weights(self) -> list[nn.Parameter]:
        weights = self.window.position_weights()
        if self.carrier is not None:
            weights += self.carrier.position_weights()
        return weights if self.carrier_key_bias is None else [*weights, self.carrier_key_bias]

    def _compute_tables(
        self, windows: Windows, dtype: torch.dtype, bias_dtype: torch.dtype
    ) -> BlockTables:
        grid, seen = windows.grid, windows.visible
        side = grid.window
        position = self.window.position
        if position is not None:
            position = position(side, side, side).to(dtype)
        bias = self.window.relative_bias(side, side, side)
        carrier_position = carrier_bias = None
        if self.carrier is not None:
            per_window = grid.carrier_size**2
            bias = self._add_carriers(bias, per_window)
            layout = *grid.carrier_shape, grid.carrier_size, self.carrier_reference
            carrier_position = self.carrier.position(*layout)
            carrier_bias = self.carrier.relative_bias(*layout)
            if seen is not None:
                carrier_bias = hide_keys(carrier_bias, seen[:, :per_window].flatten())
            carrier_position, carrier_bias = carrier_position.to(dtype), carrier_bias.to(bias_dtype)
        if seen is not None:
            bias = hide_keys(bias, seen)
        return BlockTables(position, bias.to(bias_dtype), carrier_position, carrier_bias)

    def _add_carriers(self, bias: Tensor, carriers: int) -> Tensor:
        """Put the rows and columns of a window's carriers before those (heads, L, L) of pixels.

        Carriers themselves attend to all without a bias.
        """
        if self.carrier_key_bias is None:
            return F.pad(bias, (carriers, 0, carriers, 0))
        to_carriers = self.carrier_key_bias.view(-1, 1, 1).expand(*bias.shape[:2], carriers)
        return F.pad(torch.cat((to_carriers, bias), dim=2), (0, 0, carriers, 0))


class AttentionStage(nn.Module):
    """Blocks of hierarchical or window attention on a map of any size.

    Windows at the bottom and at the right may reach beyond the map. Only attention sees that
    padding, which is masked; all other layers run on the tokens of the map alone.

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
        carrier_key_bias: See :class:`HATBlock`.
        with_cp: Recompute each block in the backward pass instead of keeping its activations.
        float32_tokens: Add up what the blocks change in at least float32, whatever the precision of
            the map, and return that.
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
        carrier_key_bias: float | None = None,
        with_cp: bool = False,
        float32_tokens: bool = False,
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
        self.dtype = torch.float32 if float32_tokens else None
        self.tokenizer = CarrierTokenizer(channels) if carrier_size else None
        reference = 2 * carrier_size if carrier_position == "extrapolate" else None

        def layer(rate: float) -> AttentionLayer:
            return AttentionLayer(channels, num_heads, mlp_ratio, rate, layer_scale)

        self.shelf = Shelf()
        self.blocks = nn.ModuleList(
            HATBlock(
                layer(rate), layer(rate) if carrier_size else None, reference, carrier_key_bias
            )
            for rate in (drop_path or [0.0] * depth)
        )
        if self.propagate:
            last: Any = self.blocks[-1]
            last.carrier.lends_scale = True
        share_cache(self)

    def _apply(self, *args: Any, **kwargs: Any) -> "AttentionStage":
        self.shelf.clear()
        return super()._apply(*args, **kwargs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        windows = find_windows(x, self.window, self.carrier_size, self.shelf)
        tokens = make_tokens(x, self.tokenizer, windows, self.dtype)
        for block in self.blocks:
            tokens = run_block(block, tokens, windows, with_cp=self.with_cp)
        carriers, pixels = split_tokens(tokens, windows.grid)
        if self.propagate:
            last: Any = self.blocks[-1]
            spread = last.carrier.scale1(carriers).index_select(1, windows.nearest)
            pixels = add(pixels, spread, in_place=last.deployed)
        return pixels.transpose(1, 2).unflatten(2, x.shape[2:])


def find_windows(x: Tensor, window: int, carrier_size: int, shelf: Shelf) -> Windows:
    """Find where the tokens of a map (B, C, H, W) stand, keeping that for the next of its size."""
    height, width = map(graph.integer, x.shape[2:])
    grid = WindowGrid(height, width, window, carrier_size)
    if not graph.is_fixed():
        return locate_tokens(grid, x.device)
    with torch.inference_mode(False):  # what is kept must serve training too
        return shelf.get((grid, x.device), lambda: locate_tokens(grid, x.device))


def make_tokens(
    x: Tensor,
    tokenizer: CarrierTokenizer | None,
    windows: Windows,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """List the tokens of a map (B, C, H, W), carriers first if there is a tokenizer.

    Args:
        x: The map.
        tokenizer: Makes the carriers.
        windows: Where the tokens stand.
        dtype: Precision to keep the tokens in; None for that of the map.

    Returns:
        (B, nh*nw*c*c + H*W, C), see :class:`Windows`.
    """
    tokens = x.flatten(2).transpose(1, 2)
    if tokenizer is not None:
        tokens = torch.cat((tokenizer(x, windows), tokens), dim=1)
    if dtype is not None:
        tokens = tokens.to(torch.promote_types(tokens.dtype, dtype))
    # the question for strides would bind a graph to the size at hand
    return tokens.contiguous() if graph.is_fixed() else tokens


def split_tokens(x: Tensor, grid: WindowGrid) -> tuple[Tensor, Tensor]:
    """Part tokens into carriers (B, nh*nw*c*c, C) and pixels (B, H*W, C)."""
    return x[:, : grid.num_carriers], x[:, grid.num_carriers :]


def hide_keys(bias: Tensor, keys: Tensor) -> Tensor:
    """Mask a bias (heads, N, N) by visible keys, (N,) or one row a group, (G, N).

    Returns:
        (heads, N, N) or (G, heads, N, N).
    """
    return bias.masked_fill(~keys[..., None, None, :], -torch.inf)
