"""What a model costs: operations counted with attention, time side by side, memory."""

import gc
import json
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import DeviceType
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import profile
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from mmfastervit.models.layers.linear import products_of, torch_products

MATRIX_SIDE = 2048
IMPORT_TIMER = """
import time
import mmengine.hooks, mmengine.model, mmengine.registry, mmengine.runner, safetensors.torch
import timm.layers, timm.models.vision_transformer, torch, torch.utils.checkpoint
start = time.process_time()
import mmfastervit
print(time.process_time() - start)
"""


def operations_by_kind(function: Callable[[], object]) -> dict[str, float]:
    """Operations of a call in 10**9, by :func:`kind_of` each; a multiply-add is two.

    Convolutions, linear layers and the two matrix products of attention are counted, the latter by
    letting attention run on the path made of them. Norms, activations and additions are not.
    """
    kinds: defaultdict[str, float] = defaultdict(float)
    for operation, count in _counted(function).get("Global", {}).items():
        kinds[kind_of(str(operation))] += count / 1e9
    return dict(kinds)


def operations_by_module(function: Callable[[], object], model: nn.Module) -> dict[str, float]:
    """Operations of a call in 10**9, as :func:`operations_by_kind` counts, by module of a model.

    Returns:
        For each module in which something is counted, by the name that ``named_modules`` gives it;
        what is counted outside any is under '' with all the rest.
    """
    top = type(model).__name__
    found = {"": 0.0}
    for name, counts in _counted(function).items():
        below = "" if name in ("Global", top) else name.removeprefix(f"{top}.")
        if name == "Global" or below:
            found[below] = sum(counts.values()) / 1e9
    return found


def _counted(function: Callable[[], object]) -> dict[str, dict[Any, int]]:
    """Operations of a call by module, as torch names it, and by operation; 'Global' has all."""
    formulas = {torch.ops.aten.convolution_backward: conv_backward_flops}
    counter = FlopCounterMode(display=False, custom_mapping=formulas)
    was_fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one operation of which nothing is counted
    try:
        with counter, sdpa_kernel(SDPBackend.MATH), torch_products():
            function()
    finally:
        torch.backends.mha.set_fastpath_enabled(was_fused)
    return counter.get_flop_counts()


def seconds_by_kind(function: Callable[[], object], device: str = "cpu") -> dict[str, float]:
    """Seconds that the operations of one call take, by :func:`kind_of` each.

    Of a GPU's time each operation has that of the kernels it launched, which the profiler lists
    once more by their own names: those are left out.
    """
    with profile(acc_events=True, record_shapes=True) as profiler:
        function()
    kinds: defaultdict[str, float] = defaultdict(float)
    on_cuda = device == "cuda"
    for event in profiler.key_averages(group_by_input_shape=True):
        if event.device_type != DeviceType.CPU:
            continue
        microseconds = event.self_device_time_total if on_cuda else event.self_cpu_time_total
        kinds[kind_of(event.key, event.input_shapes)] += microseconds / 1e6
    return dict(kinds)


def kind_of(operation: str, shapes: Sequence[Sequence[int]] = ()) -> str:
    """Which of the kinds of operations one belongs to.

    Args:
        operation: Its name, such as 'aten::mm'.
        shapes: Of its inputs, which tell our linear layers that run as a convolution of a map as
            wide as a pixel.
    """
    name = operation.replace("::", ".").rpartition(".")[2].lower()
    if "conv" in name:
        is_product = shapes and len(shapes[0]) == 4 and shapes[0][-1] == 1
        return "linear" if is_product else "convolution"
    if name in ("bmm", "baddbmm") or "attention" in name or "softmax" in name:
        return "attention"
    return "linear" if name in ("mm", "addmm", "_linear_pointwise") else "other"


def conv_backward_flops(
    grad: list[int], x: list[int], weight: list[int], *options: Any, out_shape: object = None
) -> int:
    """Operations of a convolution's backward pass, from the shapes of its tensors.

    The gradients of input and weight, where they are asked for, each take what the forward pass
    takes. torch's own formula (2.12) counts a grouped convolution as if it were none.
    """
    *_, transposed, _output_padding, _groups, wanted = options
    return conv_flop_count(x, weight, grad, transposed=transposed) * sum(wanted[:2])


def attention_kernels(function: Callable[[], object]) -> tuple[str, ...]:
    """Names of the fused attention operations that a call runs, 'math' if it runs none."""
    with profile(acc_events=True) as profiler:
        function()
    fused = re.compile(r"aten::_(scaled_dot_product_(?!attention_math)(?!.*backward).*)")
    found = (fused.fullmatch(event.key) for event in profiler.key_averages())
    return tuple(sorted(match[1] for match in found if match)) or ("math",)


def time_interleaved(
    functions: Mapping[str, Callable[[], object]],
    rounds: int = 7,
    warm_up: int = 1,
    device: str = "cpu",
) -> dict[str, list[float]]:
    """Time functions in turns, so that what else the machine does falls on all of them alike.

    Args:
        functions: What to time, by name.
        rounds: How often each is timed.
        warm_up: How often each is called before.
        device: Where they work; on 'cuda' its own events are read.

    Returns:
        Seconds of every call, by name; :func:`ratio` compares two of them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(warm_up + rounds):
        for name, function in functions.items():
            duration = time_once(function, device)
            if turn >= warm_up:
                seconds[name].append(duration)
    return seconds


def time_once(function: Callable[[], object], device: str = "cpu") -> float:
    """Seconds that one call takes."""
    if device != "cuda":
        start = time.perf_counter()
        function()
        return time.perf_counter() - start
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    first.record()
    function()
    last.record()
    torch.cuda.synchronize()
    return first.elapsed_time(last) / 1e3


def ratio(seconds: list[float], baseline: list[float]) -> float:
    """Median over the rounds of how many times ``baseline`` a call took in the same round."""
    return statistics.median(a / b for a, b in zip(seconds, baseline, strict=True))


def spread(seconds: list[float]) -> float:
    """Distance between the quartiles over the median."""
    if len(seconds) < 2:
        return 0.0
    lower, median, upper = statistics.quantiles(seconds, n=4, method="inclusive")
    return (upper - lower) / median


def matrix_product(
    dtype: torch.dtype, device: str, side: int | None = None
) -> tuple[Callable[[], Tensor], float]:
    """A product of two square matrices, the machine's measure, and its operations in 10**9.

    On a CPU it is the fastest of torch's ways, whichever our layers take.
    """
    side = side or MATRIX_SIDE * (4 if device == "cuda" else 1)
    a, b = (torch.randn(side, side, dtype=dtype, device=device) for _ in range(2))
    ways = products_of(a, b).values()
    fastest = min(ways, key=lambda way: min(time_once(way, device) for _ in range(3)))
    return fastest, 2 * side**3 / 1e9


def matrix_rate(multiply: Callable[[], Tensor], operations: float, device: str) -> float:
    """Matrix-product rate of a machine that nothing else uses, in GFLOP/s: the best of ten.

    They run one straight after the other, so that a GPU's clock is up.

    Args:
        multiply: The product.
        operations: Of one product, in 10**9.
        device: 'cpu' or 'cuda'.
    """
    multiply()
    return operations / min(time_once(multiply, device) for _ in range(10))


def peak_memory(prepare: Callable[[], Callable[[], object]], device: str = "cpu") -> float:
    """Largest memory, in MiB, of all tensors while something is built and called twice.

    That is what PyTorch's allocators hand out, not what they keep or what libraries take beside.

    Args:
        prepare: Builds what is measured and returns the call.
        device: 'cpu' or 'cuda'.
    """
    with watched_memory(device) as memory:
        call_twice(prepare)
    return memory.peak


@dataclass
class Memory:
    """Largest memory of all tensors that were made in a block, in MiB, once it has ended."""

    peak: float = 0.0

    def forget(self) -> None:
        """Count from here on: what is there and what is to come. On a GPU alone."""
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()


@contextmanager
def watched_memory(device: str) -> Iterator[Memory]:
    """Measure the peak of what is made inside; what was there before does not count."""
    memory = Memory()
    gc.collect()
    if device == "cuda":
        memory.forget()
        before = torch.cuda.memory_allocated()
        yield memory
        memory.peak = (torch.cuda.max_memory_allocated() - before) / 2**20
        return
    with profile(profile_memory=True, acc_events=True) as profiler:
        yield memory
    with TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    changes = sorted((e for e in events if e["name"] == "[memory]"), key=lambda e: e["ts"])
    totals = [event["args"]["Total Allocated"] for event in changes]
    before = totals[0] - changes[0]["args"]["Bytes"] if totals else 0
    memory.peak = (max(totals, default=0) - before) / 2**20


def call_twice(prepare: Callable[[], Callable[[], object]]) -> None:
    """Build something and call it twice: the second time beside what the first has left."""
    function = prepare()
    for _ in range(2):
        function()


def import_seconds() -> float:
    """Processor seconds of ``import mmfastervit`` once what it depends on has been imported."""
    command = [sys.executable, "-W", "ignore", "-c", IMPORT_TIMER]
    return float(subprocess.check_output(command, text=True).split()[-1])
