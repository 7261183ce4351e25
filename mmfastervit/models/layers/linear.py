"""Linear layers by the matrix product that a processor is good at.

On a CPU torch multiplies float32 matrices by MKL, which leaves more than half of the speed of some
processors unused (those with AVX-512 that are not Intel's). The other library in torch, oneDNN,
does not, and is reached in two ways: a convolution of 1x1, for which tokens (..., C) already lie as
it wants them, and its own linear layer, whose weights are packed before and which takes GELU along
but has no backward pass. Each is taken where this processor was found to be faster with it, and
nowhere else than on a CPU, in eager mode: compilers, exporters and GPUs see linear layers.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import graph

PRECISIONS = (torch.float32, torch.bfloat16)
# Rows from which on a convolution is worth to set up; a packed product costs nothing beside.
MIN_ROWS = 128
# How many times as fast another product has to be. The packed one also spares what is not measured:
# a pass for GELU, and the cast of weights under autocast. In training the bar is higher: the choice
# must fall alike in every run, so that a seed gives the same weights again.
WORTHWHILE = {"packed": 1.0, "convolution": 1.4}
TRIED = (512, 384, 1536)  # rows, channels in and out
ROUNDS = 5


class Way(Enum):
    """How a product of tokens and weights is computed."""

    TORCH = "torch"
    CONVOLUTION = "convolution"
    PACKED = "packed"


_others_allowed = ContextVar("others_allowed", default=True)


@contextmanager
def torch_products() -> Iterator[None]:
    """Let every layer compute as ``nn.Linear`` does, for what counts or compares operations."""
    token = _others_allowed.set(False)
    try:
        yield
    finally:
        _others_allowed.reset(token)


class Packed(dict):
    """By precision, what tells weights apart, the packed weight and the bias.

    Copies and pickles of it are empty.
    """

    def __reduce__(self):
        return Packed, ()


class Linear(nn.Linear):
    """``nn.Linear`` with the same weights, by whichever product is the fastest.

    Once deployed, it keeps its weights a second time, packed, for each precision it is used in.
    """

    deployed = False  # whether the weights are final, see deploy()

    def __init__(self, in_features: int, out_features: int, bias: bool = True):
        super().__init__(in_features, out_features, bias)
        self._packed = Packed()

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        way = self.way(x)
        if way is Way.PACKED:
            return self.multiply_packed(x, "none")
        return multiply(x, self.weight, self.bias, way)

    def gelu(self, x: Tensor) -> Tensor | None:
        """``F.gelu(self(x))`` in one pass, or None where that cannot be."""
        return self.multiply_packed(x, "gelu") if self.way(x) is Way.PACKED else None

    def way(self, x: Tensor) -> Way:
        """How the layer multiplies ``x`` (..., in_features)."""
        if x.device.type != "cpu" or not (graph.is_eager() and _others_allowed.get()):
            return Way.TORCH
        dtype = matmul_dtype(x)
        if not is_known(x, dtype):
            return Way.TORCH
        needs_grad = torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad)
        if self.deployed and not needs_grad:
            return Way.PACKED if is_worthwhile(Way.PACKED, dtype) else Way.TORCH
        if x.numel() < MIN_ROWS * self.in_features:
            return Way.TORCH
        return Way.CONVOLUTION if is_worthwhile(Way.CONVOLUTION, dtype) else Way.TORCH

    def multiply_packed(self, x: Tensor, activation: str) -> Tensor:
        """Multiply by oneDNN's own layer; ``activation`` is 'none' or 'gelu'."""
        dtype = matmul_dtype(x)
        stamp = tuple(map(stamp_of, (self.weight, self.bias)))
        if self._packed.get(dtype, (None,))[0] != stamp:
            with torch.inference_mode(False), torch.no_grad():
                bias = None if self.bias is None else self.bias.to(dtype)
                self._packed[dtype] = stamp, pack(self.weight.to(dtype)), bias
        _, packed, bias = self._packed[dtype]
        return multiply_packed(x.to(dtype), packed, bias, activation)

    def fold(self) -> None:
        """Nothing is folded; from here on the weights are final."""

    def _apply(self, *args: Any, **kwargs: Any) -> "Linear":
        self._packed.clear()
        return super()._apply(*args, **kwargs)


def matmul_dtype(x: Tensor) -> torch.dtype:
    """Precision in which linear layers and attention compute on ``x``, autocast considered."""
    if not x.is_meta and torch.is_autocast_enabled(x.device.type):  # meta has no autocast
        return torch.get_autocast_dtype(x.device.type)
    return x.dtype


def stamp_of(weight: Tensor | None) -> tuple[int, int] | None:
    """What changes when weights are replaced or written to."""
    if weight is None:
        return None
    return weight.data_ptr(), 0 if weight.is_inference() else weight._version


def is_known(x: Tensor, dtype: torch.dtype) -> bool:
    """Whether oneDNN multiplies a plain tensor in a precision on this processor."""
    allowed = torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
    if type(x) is not Tensor or dtype not in PRECISIONS or not allowed:
        return False
    return dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None, way: Way) -> Tensor:
    """``F.linear`` of x (..., C) and a weight (O, C), by torch or a convolution."""
    if way is Way.TORCH:
        return F.linear(x, weight, bias)
    product = F.conv2d(as_map(x), weight[:, :, None, None], bias)  # (1, O, rows, 1)
    return product.permute(0, 2, 3, 1).reshape(*x.shape[:-1], weight.shape[0])


def as_map(x: Tensor) -> Tensor:
    """Rows (..., C) as a map (1, C, rows, 1) in channels_last, without a copy."""
    return x.reshape(1, -1, 1, x.shape[-1]).permute(0, 3, 1, 2)


def multiply_backward(
    grad: Tensor, x: Tensor, weight: Tensor, wanted: tuple[bool, bool, bool], way: Way
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients of :func:`multiply`'s x, weight and bias, of those that are wanted.

    Args:
        grad: Gradient of the product, (..., O).
        x: (..., C).
        weight: (O, C).
        wanted: Which gradients.
        way: As in the forward pass.
    """
    if way is Way.TORCH:
        rows = grad.flatten(0, -2)
        return (
            grad @ weight if wanted[0] else None,
            rows.t() @ x.flatten(0, -2) if wanted[1] else None,
            rows.sum(0) if wanted[2] else None,
        )
    options = ([1, 1], [0, 0], [1, 1], False, [0, 0], 1)  # stride, padding, dilation, groups
    of_x, of_weight, of_bias = torch.ops.aten.convolution_backward(
        as_map(grad), as_map(x), weight[:, :, None, None], [weight.shape[0]], *options, wanted
    )
    return (
        of_x.permute(0, 2, 3, 1).reshape(x.shape) if wanted[0] else None,
        of_weight.flatten(1) if wanted[1] else None,
        of_bias if wanted[2] else None,
    )


def pack(weight: Tensor) -> Tensor:
    """A weight (O, C) as oneDNN's linear layer reads it fastest."""
    return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())


def multiply_packed(x: Tensor, packed: Tensor, bias: Tensor | None, activation: str) -> Tensor:
    """``F.linear`` of x (..., C) and packed weights, then the activation, without gradients."""
    algorithm = "none" if activation == "gelu" else ""  # GELU itself, not its tanh form
    return torch.ops.mkldnn._linear_pointwise(x, packed, bias, activation, [], algorithm)


def is_worthwhile(way: Way, dtype: torch.dtype) -> bool:
    """Whether a product is faster than torch's on this processor."""
    return speed_over_torch(way, dtype) >= WORTHWHILE[way.value]


@cache
def speed_over_torch(way: Way, dtype: torch.dtype) -> float:
    """How many times as fast a product is as torch's, measured once, on one thread.

    What counts is the processor time of that thread: several would wait for each other where other
    processes take their cores, and the choice would hang on that. A convolution is measured with
    its backward pass.

    Args:
        way: The product.
        dtype: Precision.
    """
    rows, channels, features = TRIED
    with (
        one_thread(),
        torch.inference_mode(False),
        torch.set_grad_enabled(way is Way.CONVOLUTION),
        torch.autocast("cpu", enabled=False),
    ):
        # no random numbers are drawn: those of the run must stay as they are
        x, weight = (torch.ones(n, channels, dtype=dtype) for n in (rows, features))
        bias = torch.ones(features, dtype=dtype)
        if way is Way.CONVOLUTION:
            calls: list[Callable[[], object]] = [
                partial(there_and_back, x, weight, bias, each) for each in (Way.TORCH, way)
            ]
        else:
            products = products_of(x, weight, bias)
            calls = [products[Way.TORCH], products[way]]
        torchs, others = (min(times) for times in timed(calls))
    return torchs / others


def products_of(
    x: Tensor, weight: Tensor, bias: Tensor | None = None
) -> dict[Way, Callable[[], Tensor]]:
    """The product of x (..., C) and a weight (O, C) in each way that there is for them."""
    ways: dict[Way, Callable[[], Tensor]] = {Way.TORCH: partial(F.linear, x, weight, bias)}
    if x.device.type == "cpu" and is_known(x, x.dtype):
        ways[Way.CONVOLUTION] = partial(multiply, x, weight, bias, Way.CONVOLUTION)
        ways[Way.PACKED] = partial(multiply_packed, x, pack(weight), bias, "none")
    return ways


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def there_and_back(x: Tensor, weight: Tensor, bias: Tensor, way: Way) -> None:
    """A product and its gradients."""
    x, weight, bias = (tensor.detach().requires_grad_() for tensor in (x, weight, bias))
    product = multiply(x, weight, bias, way)
    torch.autograd.grad(product, (x, weight, bias), torch.ones_like(product))


def timed(calls: list[Callable[[], object]]) -> list[list[float]]:
    """Seconds of this thread's processor time that calls take, in turns."""
    seconds: list[list[float]] = [[] for _ in calls]
    for turn in range(1 + ROUNDS):
        for call, times in zip(calls, seconds, strict=True):
            start = time.thread_time()
            call()
            if turn:  # the first ones set up
                times.append(time.thread_time() - start)
    return seconds
