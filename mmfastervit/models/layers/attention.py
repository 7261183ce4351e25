"""Pre-norm attention layer on tokens, inside windows or among all."""

import torch
import torch.nn.functional as F
from timm.layers import DropPath
from timm.models.vision_transformer import LayerScale
from torch import Tensor, nn

from . import graph
from .linear import Linear
from .mlp import LeanMlp, add
from .positions import AbsolutePosition, RelativeBias
from .windows import Windows


class Attention(nn.Module):
    """Multi-head self-attention inside windows or among all tokens, with a bias on the logits.

    Args:
        channels: Channels of a token.
        num_heads: Heads; must divide ``channels``.
    """

    def __init__(self, channels: int, num_heads: int):
        super().__init__()
        if channels % num_heads:
            raise ValueError(f"num_heads={num_heads} does not divide channels={channels}")
        self.num_heads = num_heads
        self.qkv = Linear(channels, 3 * channels)
        self.proj = Linear(channels, channels)

    def forward(self, x: Tensor, bias: Tensor, windows: Windows | None = None) -> Tensor:
        """Attend.

        Args:
            x: (B, T, C).
            bias: See :func:`attend`.
            windows: Where the tokens stand; None if all of an image attend to each other.

        Returns:
            (B, T, C).
        """
        return self.proj(attend(self.qkv(x), bias, windows))


def attend(
    qkv: Tensor,
    bias: Tensor,
    windows: Windows | None = None,
    scale: float | None = None,
    dropout: float = 0.0,
) -> Tensor:
    """Multi-head attention inside windows, or among all tokens of an image.

    Args:
        qkv: (B, T, 3*C): query, key and value of each token, each head by head.
        bias: (num_heads, N, N) for windows of N tokens, or (G, num_heads, N, N) where the G windows
            differ; -inf where a key must not be seen.
        windows: Where the T tokens stand; None for one window that has them all.
        scale: Factor on the products of queries and keys; None for (C / num_heads)**-0.5.
        dropout: Probability that an attention weight is dropped.

    Returns:
        (B, T, C).
    """
    (query, key, value), bias, sizes = in_groups(qkv, bias, windows)
    attended = F.scaled_dot_product_attention(
        query, key, value, attn_mask=bias.to(query.dtype), dropout_p=dropout, scale=scale
    )
    attended = attended.transpose(1, 2)  # (B*G, N, heads, C/heads)
    if graph.is_exported():  # what stands for the kernel elsewhere orders memory otherwise
        attended = attended.clone(memory_format=torch.contiguous_format)
    attended = attended.flatten(2).unflatten(0, sizes)
    return attended[:, 0] if windows is None else windows.scatter(attended)


def attention_weights(
    qkv: Tensor, bias: Tensor, windows: Windows | None = None, scale: float | None = None
) -> Tensor:
    """The weights by which :func:`attend` adds up the values, whose kernels do not give them.

    Args:
        qkv: As the rest, see :func:`attend`.

    Returns:
        (B, G, num_heads, N, N), query first, then key; each row sums to 1.
    """
    (query, key, _), bias, sizes = in_groups(qkv, bias, windows)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    logits = query @ key.transpose(-2, -1) * scale + bias
    return logits.softmax(-1).unflatten(0, sizes)


def in_groups(
    qkv: Tensor, bias: Tensor, windows: Windows | None
) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor, tuple[int, int]]:
    """Queries, keys and values (B*G, num_heads, N, C/heads), the bias for them, and (B, G).

    The arguments are those of :func:`attend`.
    """
    qkv = qkv[:, None] if windows is None else windows.gather(qkv)  # (B, G, N, 3*C)
    batch, groups = qkv.shape[:2]
    if bias.ndim == 3:
        bias = bias[None]
    elif not graph.is_fixed() or batch > 1:  # no branch on a size that is not fixed
        bias = bias.repeat(batch, 1, 1, 1)
    heads = qkv.flatten(0, 1).unflatten(-1, (3, bias.shape[1], -1))
    query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (B*G, heads, N, C/heads)
    return (query, key, value), bias, (batch, groups)


class TokenNorm(nn.LayerNorm):
    """Layer normalisation that takes tokens kept in a higher precision than its weights."""

    def forward(self, x: Tensor) -> Tensor:
        if x.element_size() > self.weight.element_size():
            x = x.to(self.weight.dtype)
        return super().forward(x)


class AttentionLayer(nn.Module):
    """Attention and MLP, each normalised before, scaled if asked, and added to its input.

    The two position modules belong to the layer but are applied by the block that owns it, which
    knows the layout of the tokens.

    Args:
        channels: Channels of a token.
        num_heads: Attention heads.
        mlp_ratio: Hidden features of the MLP over ``channels``.
        drop_path: Probability that an image skips a residual branch in training.
        layer_scale: Initial value of the per-channel scale of each branch; None for no scale.
    """

    deployed = False  # whether the scales are folded, see deploy()
    lends_scale = False  # whether somebody else scales by ``scale1`` as well

    def __init__(
        self,
        channels: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.0,
        layer_scale: float | None = None,
    ):
        super().__init__()

        def scale() -> nn.Module:
            return nn.Identity() if layer_scale is None else LayerScale(channels, layer_scale)

        self.position = AbsolutePosition(channels)
        self.relative_bias = RelativeBias(num_heads)
        self.norm1 = TokenNorm(channels)
        self.attn = Attention(channels, num_heads)
        self.scale1 = scale()
        self.norm2 = TokenNorm(channels)
        self.mlp = LeanMlp(channels, int(channels * mlp_ratio))
        self.scale2 = scale()
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, bias: Tensor, windows: Windows | None = None) -> Tensor:
        """Map tokens (B, T, C) to the same shape; the rest as in :class:`Attention`."""
        branch = self.drop_path(self.scale1(self.attn(self.norm1(x), bias, windows)))
        x = add(x, branch, in_place=self.deployed)
        branch = self.drop_path(self.scale2(self.mlp(self.norm2(x))))
        return add(x, branch, in_place=self.deployed)

    def attention_weights(self, x: Tensor, bias: Tensor, windows: Windows | None = None) -> Tensor:
        """How much each token listens to each other: see the function of this name.

        The arguments are those of the call.
        """
        return attention_weights(self.attn.qkv(self.norm1(x)), bias, windows)

    @torch.no_grad()
    def fold(self) -> None:
        """Fold the layer scales into the linear layers before them."""
        for name, linear in (("scale1", self.attn.proj), ("scale2", self.mlp.fc2)):
            scale = getattr(self, name)
            lent = name == "scale1" and self.lends_scale
            if isinstance(scale, LayerScale) and not lent:
                linear.weight.mul_(scale.gamma[:, None])
                if linear.bias is not None:
                    linear.bias.mul_(scale.gamma)
                setattr(self, name, nn.Identity())

    def position_weights(self) -> list[nn.Parameter]:
        """The weights that position tables are computed from."""
        return [*self.position.parameters(), *self.relative_bias.parameters()]
