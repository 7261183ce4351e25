"""CUDA graphs: all that a call launches, recorded once and launched at once from then on."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

WARM_UP = 3  # calls before recording


@dataclass(frozen=True)
class Recorded:
    """A recorded call; calling this runs it again on the same images, without Python or launches.

    Attributes:
        graph: What is launched.
        outputs: Of the call; each launch overwrites them.
        call: Held because the graph reads its weights and images where they lie.
    """

    graph: torch.cuda.CUDAGraph
    outputs: Any
    call: Callable[[], object]

    def __call__(self) -> Any:
        self.graph.replay()
        return self.outputs


def record(call: Callable[[], object], device: str) -> Recorded:
    """Record a call as a CUDA graph.

    It runs a few times before, on a stream of its own as torch asks: libraries choose their
    kernels, position tables are computed and kept, a compiled model is compiled. None of that may
    happen while a graph is recorded.

    Args:
        call: Without arguments; it reads the same memory each time, and does not wait for the GPU.
        device: Where it runs.

    Raises:
        ValueError: That is not a GPU.
        RuntimeError: The call does what can't be recorded.
    """
    if device != "cuda":
        raise ValueError("CUDA graphs are recorded on a GPU alone")
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            call()
    torch.cuda.current_stream().wait_stream(aside)
    gc.collect()  # what is garbage may hold graphs, and none may be destroyed while one is recorded
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
    try:
        with torch.cuda.graph(graph):
            outputs = call()
    finally:
        torch.cuda.set_stream(stream)  # a recording that fails leaves its own
    return Recorded(graph, outputs, call)
