"""What a model costs: parameters, operations counted with attention, and time side by side."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(model: nn.Module) -> int:
    """Count the learned values of a model."""
    return sum(p.numel() for p in model.parameters())


@torch.no_grad()
def count_gflops(model: nn.Module, x: Tensor) -> float:
    """Count the operations of one forward pass, in 10**9; a multiplication with addition is two.

    Convolutions, linear layers and the two matrix products of attention are counted, the latter by
    letting attention run on the path made of them. Norms, activations and additions are not.
    """
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(x)
    return counter.get_total_flops() / 1e9


def time_interleaved(
    functions: Mapping[str, Callable[[], object]], rounds: int = 7, warm_up: int = 1
) -> dict[str, list[float]]:
    """Time functions in turns, so that what else the machine does falls on all of them alike.

    Args:
        functions: What to time, by name. Work on an accelerator must be waited for inside.
        rounds: How often each is timed.
        warm_up: How often each is called before.

    Returns:
        Seconds of every call, by name; :func:`ratio` compares two of them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(warm_up + rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn >= warm_up:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(seconds: list[float], baseline: list[float]) -> float:
    """Median over the rounds of how many times ``baseline`` a call took in the same round."""
    return statistics.median(a / b for a, b in zip(seconds, baseline, strict=True))
