"""Backbones side by side: cases, and one interleaved run of them."""

import gc
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, groupby
from operator import itemgetter

import torch
from torch import Tensor, nn

from mmfastervit.models import deploy
from mmfastervit.runtimes import RUNTIMES

from .files import Files
from .graphs import record
from .measure import (
    attention_kernels,
    matrix_product,
    matrix_rate,
    operations_by_kind,
    peak_memory,
    ratio,
    seconds_by_kind,
    spread,
    time_interleaved,
)

TASKS = ("eval", "train")
MODES = ("eager", "channels_last", "deploy", "compiled")  # that `benchmark` knows
# What the words of a mode, joined by '+', do to a model; 'eager' does nothing.
CHANGES = {
    "eager": "as it was built",
    "deploy": "norms and scales folded",
    "channels_last": "weights and images channels last",
    "cast": "weights and images in the precision, no autocast",
    "compiled": "torch.compile for this size",
    "cuda_graph": "launched as one CUDA graph",
}
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
MATRIX = "matrix product"
WITH_CP = "+cp"  # behind a model's name: the same with activation checkpointing
INT8 = "+int8"  # behind a runtime: its file quantised, and what is left of it in the precision

Builder = Callable[[str, tuple[int, int]], nn.Module]


@dataclass(frozen=True)
class Conditions:
    """What all models of one comparison have in common."""

    task: str  # 'eval' or 'train'
    precision: str
    size: tuple[int, int]  # height, width of the images
    batch: int
    channels: int = 3  # of the images

    def __str__(self) -> str:
        height, width = self.size
        channels = "" if self.channels == 3 else f" channels {self.channels}"
        return f"{self.task} {self.precision} {height}x{width} batch {self.batch}{channels}"


@dataclass(frozen=True)
class Case:
    """One thing to measure: a model in a mode under some conditions.

    Args:
        model: Its name.
        mode: Words of ``CHANGES``, joined by '+'; or what runs its file, of
            ``mmfastervit.runtimes.RUNTIMES``, with ``INT8`` behind it for the quantised one.
        conditions: Under which.
    """

    model: str
    mode: str
    conditions: Conditions

    def __post_init__(self):
        if self.changes - set(CHANGES) and not self.is_file:
            raise ValueError(
                f"unknown mode {self.mode!r}: join some of {', '.join(CHANGES)} by +, or name "
                f"{' or '.join(RUNTIMES)}, which {INT8} may follow"
            )
        if self.is_file and self.conditions.task != "eval":
            raise ValueError(f"{self.mode} runs files, which do not train: take the task eval")

    @property
    def name(self) -> str:
        return f"{self.model}:{self.mode}"

    @property
    def changes(self) -> set[str]:
        """The words of its mode."""
        return set(self.mode.split("+"))

    @property
    def runtime(self) -> str:
        """What runs its file, where it is one."""
        return self.mode.removesuffix(INT8)

    @property
    def is_file(self) -> bool:
        """Whether it is the model's file that is run, not torch."""
        return self.runtime in RUNTIMES

    @property
    def is_int8(self) -> bool:
        """Whether its file is quantised."""
        return self.is_file and self.mode.endswith(INT8)

    @property
    def shows_operations(self) -> bool:
        """Whether a profiler sees the model's own operations: those of a compiled one are others,
        made of several, a graph is one launch, and a file's are not torch's."""
        return not (self.is_file or self.changes & {"compiled", "cuda_graph"})

    @property
    def shows_memory(self) -> bool:
        """Whether torch hands out the memory that it takes."""
        return not (self.is_file or "compiled" in self.changes)


@dataclass(frozen=True)
class Counts:
    """What a model computes and what it has learned; mode and precision change neither."""

    operations: dict[str, float]  # in 10**9 of one call, by kind
    parameters: int


@dataclass(frozen=True)
class Kind:
    """What one kind of operations takes of a profiled call."""

    share: float  # of the time of all operations
    rate: float  # GFLOP/s, 0 where nothing is multiplied


@dataclass(frozen=True)
class Result:
    """What was measured of a case; ratios are over the same rounds, above 1 is better."""

    case: Case
    seconds: float  # median
    spread: float  # distance of the quartiles over the median
    images_per_second: float
    gflops: float  # of one call, attention counted
    share: float  # of matrix_rate
    matrix_rate: float  # GFLOP/s of the machine in a matrix product at this precision
    ratio: float | None  # throughput over the baseline's, None without one
    attention: tuple[str, ...]  # kernels that attention ran on, looked at on a GPU only
    kinds: dict[str, Kind]  # convolution, linear, attention, other; none of compiled ones or files
    times: tuple[float, ...]  # seconds of every timed call
    memory: float | None = None  # MiB at the peak, weights included; not of compiled ones or files
    rate_spread: float = 0.0  # of the matrix rate, distance of the quartiles over the median
    parameters: int = 0  # of the model as it was built


def prepare(
    case: Case, build: Builder, device: str, files: Files | None = None
) -> Callable[[], object]:
    """Build a case's model; what is returned runs it once.

    All cases of the same conditions get the same images. They are drawn on the CPU: a GPU's
    generator, which a recording that failed may leave unusable, is not asked.

    Raises:
        ValueError: A file is to be run, and there are none or it does not run; see ``Files.call``.
        ArithmeticError: It computes something else than the model.
    """
    if case.is_file and (files is None or device != "cpu"):
        raise ValueError(f"{case.name} is measured on a CPU, with the folder of its file named")
    torch.manual_seed(0)
    conditions, changes = case.conditions, case.changes
    dtype = PRECISIONS[conditions.precision]
    model = build(case.model, conditions.size).to(device).train(conditions.task == "train")
    shape = conditions.batch, conditions.channels, *conditions.size
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0), device="cpu")
    images = images.to(device)
    if files is not None and case.is_file:
        opened = files.quantised if case.is_int8 else files.call
        return opened(deploy(model), case.model, case.runtime, conditions.precision, images)
    if "deploy" in changes:
        deploy(model)
    if "cast" in changes:
        model.to(dtype)
        images = images.to(dtype)
    if "channels_last" in changes:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch has it
        images = images.contiguous(memory_format=torch.channels_last)
    call = torch.compile(model, dynamic=False) if "compiled" in changes else model
    step = train_step if conditions.task == "train" else infer
    casts = dtype != torch.float32 and "cast" not in changes
    autocast = torch.autocast(device, dtype, enabled=casts)
    ready = partial(step, call, model, images, autocast)
    return record(ready, device) if "cuda_graph" in changes else ready


@torch.no_grad()
def infer(call: Callable, model: nn.Module, images: Tensor, autocast: torch.autocast) -> object:
    """Compute and return the maps of a batch."""
    with autocast:
        return call(images)


def train_step(call: Callable, model: nn.Module, images: Tensor, autocast: torch.autocast) -> None:
    """Compute the gradients of a batch, as a step does but for the optimizer."""
    model.zero_grad(set_to_none=True)
    with autocast:
        outputs = call(images)
    outputs = [outputs] if isinstance(outputs, Tensor) else outputs
    sum(output.float().square().mean() for output in outputs).backward()


def run_cases(
    cases: Sequence[Case],
    build: Builder,
    baseline: str,
    rounds: int = 7,
    device: str = "cpu",
    with_memory: bool = True,
    tell: Callable[[str], None] = print,
    keep: Callable[[Sequence[Result]], None] = lambda results: None,
    files: Files | None = None,
) -> list[Result]:
    """Measure cases; all that share their conditions run in turns, one call each a round.

    Args:
        cases: What to measure.
        build: Makes the model of a name for images of a size.
        baseline: 'MODEL:MODE' that the ratios are to.
        rounds: Timed calls of every case; two more, untimed, come before.
        device: 'cpu' or 'cuda'.
        with_memory: Measure peak memory too, each case by itself.
        tell: Gets a line of text at a time.
        keep: Gets all results so far whenever those of some conditions are complete.
        files: Of the models, where runtimes are among the modes.
    """
    results = []
    ordered = sorted(cases, key=lambda case: str(case.conditions))
    for conditions, group in groupby(ordered, key=lambda case: case.conditions):
        tell(f"\n{conditions}")
        found = run_group(list(group), build, baseline, rounds, device, files)
        tell(f"  {MATRIX}: {found[0].matrix_rate:.0f} GFLOP/s +-{found[0].rate_spread:5.1%}")
        for result in found:
            if with_memory and result.case.shows_memory:
                used = memory_of(result.case, build, device)
                result = replace(result, memory=used)
            tell(line(result))
            results.append(result)
        keep(results)
    return results


def run_group(
    cases: Sequence[Case],
    build: Builder,
    baseline: str,
    rounds: int,
    device: str,
    files: Files | None = None,
) -> list[Result]:
    """Time the cases of the same conditions in turns, a matrix product before each."""
    conditions = cases[0].conditions
    product, operations = matrix_product(PRECISIONS[conditions.precision], device)
    one_each = {case.model: case for case in cases}
    counted = {model: counts_of(case, build, device) for model, case in one_each.items()}
    calls = {case.name: prepare(case, build, device, files) for case in cases}
    products = {f"{MATRIX} {i}": product for i in range(len(calls))}
    turns = dict(chain.from_iterable(zip(products.items(), calls.items(), strict=True)))
    with compiling_afresh(sum("compiled" in case.changes for case in cases)):
        seconds = time_interleaved(turns, rounds, warm_up=2, device=device)
    # what else runs slows the products of a CPU as it does the models; a GPU is ours alone
    multiplied = list(chain.from_iterable(seconds[name] for name in products))
    rate = operations / statistics.median(multiplied)
    if device == "cuda":
        rate = matrix_rate(product, operations, device)
    results = []
    for case in cases:
        times, counts = seconds[case.name], counted[case.model]
        median, gflops = statistics.median(times), sum(counts.operations.values())
        call, is_seen = calls[case.name], case.shows_operations
        results.append(
            Result(
                case,
                seconds=median,
                spread=spread(times),
                images_per_second=conditions.batch / median,
                gflops=gflops,
                share=gflops / median / rate,
                matrix_rate=rate,
                ratio=ratio(seconds[baseline], times) if baseline in seconds else None,
                attention=attention_kernels(call) if is_seen and device == "cuda" else (),
                kinds=time_by_kind(call, counts.operations, device) if is_seen else {},
                times=tuple(times),
                rate_spread=spread(multiplied),
                parameters=counts.parameters,
            )
        )
    del call, calls
    gc.collect()
    return results


@contextmanager
def compiling_afresh(models: int) -> Iterator[None]:
    """Make torch.compile forget other sizes and models, and let it compile this many anew.

    What it has seen is kept for each function, not for each model: a size after another would be
    compiled for any size, and from the ninth variant on a function runs uncompiled.
    """
    if models == 0:
        yield
        return
    torch._dynamo.reset()
    with torch._dynamo.config.patch(recompile_limit=models + 8):
        yield


def counts_of(case: Case, build: Builder, device: str) -> Counts:
    """Operations and parameters of a case; mode and precision do not change what is multiplied.

    What activation checkpointing computes again is not counted: it is no more work that is done.
    """
    name = case.model.removesuffix(WITH_CP)
    built: list[nn.Module] = []

    def kept(name: str, size: tuple[int, int]) -> nn.Module:
        built.append(build(name, size))
        return built[0]

    plain = Case(name, "eager", replace(case.conditions, precision="fp32"))
    operations = operations_by_kind(prepare(plain, kept, device))
    return Counts(operations, sum(weight.numel() for weight in built[0].parameters()))


def time_by_kind(call: Callable, operations: Mapping[str, float], device: str) -> dict[str, Kind]:
    """Where the time of a call goes, the largest part first, and how fast that part multiplies."""
    seconds = {kind: part for kind, part in seconds_by_kind(call, device).items() if part}
    whole = sum(seconds.values())
    return {
        kind: Kind(part / whole, operations.get(kind, 0) / part)
        for kind, part in sorted(seconds.items(), key=itemgetter(1), reverse=True)
    }


def memory_of(case: Case, build: Builder, device: str) -> float:
    """Peak memory of a case's tensors in MiB, the model's weights included."""
    return peak_memory(partial(prepare, case, build, device), device)


def line(result: Result) -> str:
    """One result as a line of text."""
    compared = "" if result.ratio is None else f"  x{result.ratio:.3f} of the baseline"
    memory = "" if result.memory is None else f"  {result.memory:7.0f} MiB"
    attention = "".join(f"  {kernel}" for kernel in result.attention)
    kinds = ", ".join(
        f"{name} {kind.share:.1%}" + (f" at {kind.rate:.0f} GFLOP/s" if kind.rate else "")
        for name, kind in result.kinds.items()
    )
    return (
        f"  {result.case.name:36} {result.seconds * 1e3:9.1f} ms +-{result.spread:5.1%} "
        f"{result.images_per_second:8.2f} images/s {result.gflops:8.1f} GFLOPs "
        f"{result.share:6.1%} of the matrix rate{memory}{compared}{attention}"
        + (f"\n    time: {kinds}" if kinds else "")
    )
