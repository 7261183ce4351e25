"""Whether attention is faster when its bias, or its keys, are padded to a multiple of 8.

A window of FasterViT has 53 keys: 49 pixels and 4 carriers. Kernels for a GPU read a bias in pieces
of 8 or 16 numbers, and torch copies one whose rows do not begin at such places, in each call.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from mmfastervit.bench.measure import attention_kernels, ratio, spread, time_interleaved

MULTIPLE = 8
REPEATS = {"cuda": 20, "cpu": 1}  # calls that are timed as one: a kernel is shorter than its launch
AS_IT_IS = "as it is"


@dataclass(frozen=True)
class Attention:
    """What one call of attention was given in a pass."""

    query: Tensor  # (windows, heads, queries, channels)
    key: Tensor  # (windows, heads, keys, channels)
    value: Tensor
    bias: Tensor  # (windows or 1, heads, queries, keys)

    @property
    def shape(self) -> tuple[int, ...]:
        """Windows, heads, queries, keys."""
        return (*self.query.shape[:3], self.key.shape[2])

    def __call__(self) -> Tensor:
        return F.scaled_dot_product_attention(self.query, self.key, self.value, attn_mask=self.bias)


@dataclass(frozen=True)
class Padded:
    """What one way to pad takes."""

    conditions: str
    shape: tuple[int, ...]  # windows, heads, queries, keys
    calls: int  # of this shape in a pass
    way: str
    seconds: float  # median of one call
    spread: float  # distance of the quartiles over the median
    ratio: float  # speed over that of the same call as it is
    kernels: tuple[str, ...]
    difference: float  # largest, over the largest value as it is


class Noting(TorchFunctionMode):
    """Keeps what attention is given while it is on: one call of each shape, and how many came."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[tuple[int, ...], Attention] = {}
        self.counts: dict[tuple[int, ...], int] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") == "scaled_dot_product_attention":
            bias = kwargs.get("attn_mask")
            if bias is not None:
                query, key, value = args[:3]
                call = Attention(query, key, value, bias)
                self.calls.setdefault(call.shape, call)
                self.counts[call.shape] = self.counts.get(call.shape, 0) + 1
        return func(*args, **kwargs)


def padding_pays(
    call: Callable[[], object], conditions: str, device: str, rounds: int
) -> list[Padded]:
    """Time each way to pad, for each shape of attention in a pass.

    Args:
        call: Runs the pass; its attention has biases.
        conditions: Under which, for the results.
        device: 'cpu' or 'cuda'.
        rounds: Timed calls of each.
    """
    with Noting() as noting:
        call()
    found = []
    for shape, attention in noting.calls.items():
        ways = ways_to_pad(attention)
        repeated = {way: partial(repeat, one, REPEATS[device]) for way, one in ways.items()}
        with torch.no_grad():
            seconds = time_interleaved(repeated, rounds, warm_up=2, device=device)
            plain = attention()
            for way, one in ways.items():
                found.append(
                    Padded(
                        conditions,
                        shape,
                        noting.counts[shape],
                        way,
                        statistics.median(seconds[way]) / REPEATS[device],
                        spread(seconds[way]),
                        ratio(seconds[AS_IT_IS], seconds[way]),
                        attention_kernels(one),
                        difference(one()[:, :, : shape[2]], plain),
                    )
                )
    return found


def ways_to_pad(attention: Attention) -> dict[str, Attention]:
    """The same attention, padded or not; what pads has been done before it is timed.

    The bias can be laid out with rows of a multiple of 8, or 16, numbers, of which the rest is not
    read. Keys and values can be padded, hidden by -inf in the bias, and the queries as well.
    """
    queries, keys = attention.shape[2:]
    ways = {AS_IT_IS: attention}
    for multiple in (MULTIPLE, 2 * MULTIPLE):
        row = rounded(keys, multiple)
        if row != keys:
            bias = F.pad(attention.bias, (0, row - keys))[..., :keys]
            ways[f"bias in rows of {row}"] = with_bias(attention, bias)
    whole = rounded(keys, MULTIPLE)
    if whole == keys:
        return ways
    key, value = (F.pad(x, (0, 0, 0, whole - keys)) for x in (attention.key, attention.value))
    bias = F.pad(attention.bias, (0, whole - keys), value=-torch.inf)
    ways[f"{whole} keys"] = Attention(attention.query, key, value, bias)
    more = rounded(queries, MULTIPLE) - queries
    query = F.pad(attention.query, (0, 0, 0, more))
    ways[f"{whole} keys and queries"] = Attention(query, key, value, F.pad(bias, (0, 0, 0, more)))
    return ways


def with_bias(attention: Attention, bias: Tensor) -> Attention:
    """The same attention with its bias in other memory."""
    return Attention(attention.query, attention.key, attention.value, bias)


def rounded(number: int, multiple: int) -> int:
    """The next multiple."""
    return -(-number // multiple) * multiple


def repeat(call: Callable[[], object], times: int) -> None:
    """Call several times."""
    for _ in range(times):
        call()


def difference(found: Tensor, expected: Tensor) -> float:
    """Largest difference over the largest expected value."""
    largest = expected.float().abs().max()
    return float((found.float() - expected.float()).abs().max() / largest)
