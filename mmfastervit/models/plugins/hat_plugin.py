"""Hierarchical attention as a plug-in for feature maps."""

from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfastervit.models.initialization import initialize
from mmfastervit.models.layers import AttentionStage, graph
from mmfastervit.models.layers.positions import MAX_BIAS
from mmfastervit.registry import register_model

HEAD_CHANNELS = 32  # of FasterViT
FRESH_BIAS = MAX_BIAS / 2  # what relative biases between pixels start from, 16 * sigmoid(0)


@register_model
class HATPlugin(BaseModule):
    """Blocks of hierarchical attention on a feature map of any size, the identity at first.

    The blocks are FasterViT's (arXiv 2306.06189, section 3.3): windows whose pixels attend to each
    other and to carrier tokens, which attend to each other across the whole map. What they change
    is added by a gate, one a channel, that starts at 0: the output is the input bit for bit,
    whatever the other weights are, and training opens the gate as far as it helps.

    In pretrained FasterViT the pixels of a window attend to their carriers without a bias and to
    each other with one that starts at 8, so fresh carriers would get 3e-5 of a pixel's attention.
    Here the carriers' bias is learned and starts level with that.

    Args:
        in_channels: Channels of the map.
        depth: Number of blocks.
        num_heads: Attention heads, a divisor of ``in_channels``; None for as near to 32 channels a
            head as divides, and not fewer.
        window_size: Side of a window, in pixels of the map.
        carrier_size: Carrier tokens along the side of a window.
        mlp_ratio: Hidden features of the MLPs over ``in_channels``.
        drop_path_rate: Probability that an image skips a residual branch in training.
        init_cfg: Initialisation as in mmengine.
        with_cp: Recompute each block in the backward pass, which saves memory and costs time.

    Raises:
        ValueError: A value out of its range, or ``num_heads`` that does not divide.
    """

    def __init__(
        self,
        in_channels: int,
        depth: int = 1,
        num_heads: int | None = None,
        window_size: int = 7,
        carrier_size: int = 2,
        mlp_ratio: float = 4.0,
        drop_path_rate: float = 0.0,
        init_cfg: dict | list[dict] | None = None,
        with_cp: bool = False,
    ):
        super().__init__(init_cfg)
        check_at_least_one(
            in_channels=in_channels, depth=depth, window_size=window_size, carrier_size=carrier_size
        )
        if mlp_ratio <= 0:
            raise ValueError(f"mlp_ratio={mlp_ratio} must be positive")
        if not 0 <= drop_path_rate < 1:
            raise ValueError(f"drop_path_rate={drop_path_rate} must lie in [0, 1)")
        self.in_channels = in_channels
        self.attention = AttentionStage(
            in_channels,
            depth,
            resolve_num_heads(in_channels, num_heads),
            window_size,
            carrier_size,
            mlp_ratio=mlp_ratio,
            drop_path=[drop_path_rate] * depth,
            carrier_key_bias=FRESH_BIAS,
            float32_tokens=True,
            with_cp=with_cp,
        )
        self.gate = nn.Parameter(torch.zeros(in_channels))
        self.attention.apply(initialize)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to the same shape, precision and memory format.

        Raises:
            ValueError: The tensor is not of that shape.
        """
        if x.ndim != 4 or x.shape[1] != self.in_channels or 0 in x.shape:
            raise ValueError(
                f"HATPlugin takes a map of shape (B, {self.in_channels}, H, W) with B, H, W >= 1, "
                f"not {tuple(x.shape)}"
            )
        change = self.attention(x) - x  # of float32 at least, so that no digits cancel
        if graph.has_backward():
            return AddGated.apply(x, self.gate, change)
        return add_gated(x, self.gate, change)


def add_gated(x: Tensor, gate: Tensor, change: Tensor) -> Tensor:
    """Add a change (B, C, H, W) by a gate (C,); where that is 0, ``x`` comes out bit for bit.

    An infinite or undefined change times 0 is undefined, and -0.0 plus 0.0 is 0.0.
    """
    gate = gate.view(-1, 1, 1)
    return torch.where(gate == 0, x, x + gate * change).to(x.dtype)


class AddGated(torch.autograd.Function):
    """:func:`add_gated` with the gradient of ``x + gate * change``, by which a gate can open."""

    @staticmethod
    def forward(x: Tensor, gate: Tensor, change: Tensor) -> Tensor:
        return add_gated(x, gate, change)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gate, change = ctx.saved_tensors
        of_gate = (grad * change).sum((0, 2, 3))
        of_change = grad * gate.view(-1, 1, 1)
        return grad, of_gate.to(gate.dtype), of_change.to(change.dtype)


def resolve_num_heads(channels: int, num_heads: int | None) -> int:
    """Choose or check the number of attention heads.

    Raises:
        ValueError: ``num_heads`` does not divide ``channels``.
    """
    divisors = [heads for heads in range(1, channels + 1) if channels % heads == 0]
    fitting = max(heads for heads in divisors if heads <= max(channels // HEAD_CHANNELS, 1))
    if num_heads not in (None, *divisors):
        raise ValueError(
            f"num_heads={num_heads} does not divide the {channels} channels of the map: take one "
            f"of {divisors}, or None for {fitting}"
        )
    return fitting if num_heads is None else num_heads


def check_at_least_one(**values: int) -> None:
    """Raise ValueError unless every value is an integer of at least 1."""
    for name, value in values.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}={value!r} must be an integer of at least 1")
