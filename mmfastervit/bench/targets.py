"""What this package promises to reach on two CPU cores, and whether it does."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import torch

from .cases import (
    INT8,
    PRECISIONS,
    WITH_CP,
    Builder,
    Case,
    Conditions,
    memory_of,
    prepare,
    run_group,
)
from .files import Files, usable
from .measure import import_seconds, matrix_product, matrix_rate, ratio, time_interleaved, time_once

SIZES = ((512, 512), (800, 1280))
# Throughput over the reference's in torch eager, at each of SIZES: deployed, with AVX-512
DEPLOYED = {"fp32": (1.9, 1.8), "bf16": (1.4, 1.3)}
# and on processors with less, where torch's product is about as fast as the others
DEPLOYED_LESS = {"fp32": (1.3, 1.25), "bf16": (1.4, 1.3)}
# by the best of the runtimes
BEST_RUNTIME = {"fp32": (2.4, 2.4), "bf16": (1.8, 1.6)}
# and of the best quantised file over the best of ours in float32
BEST_INT8 = (2.6, 2.4)
TRAINING, TRAINING_LESS = 1.65, 1.17
NO_QUANTISER = "no nncf is installed here: pip install 'mmfastervit[int8]'"
LARGE = (2048, 2048)
FRESH_SIZES = ((768, 1216), (800, 1280), (736, 1120), (608, 1024), (512, 896))


@dataclass(frozen=True)
class Target:
    """A promise and what was measured."""

    what: str
    value: float | None  # None where this machine can't tell
    limit: float
    at_least: bool
    why_not: str = ""  # measured
    matrix_rate: float | None = None  # GFLOP/s that a share is of

    @property
    def is_reached(self) -> bool:
        if self.value is None:
            return False
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        must = f"(must be {'>=' if self.at_least else '<='} {self.limit})"
        if self.value is None:
            return f"not measured {self.what} {must}: {self.why_not}"
        verdict = "reached" if self.is_reached else "NOT reached"
        whole = "" if self.matrix_rate is None else f" of {self.matrix_rate:.0f} GFLOP/s"
        return f"{verdict:12} {self.what}: {self.value:.3f}{whole} {must}"


def check_targets(
    build: Builder,
    ours: str,
    theirs: str,
    rounds: int = 7,
    shrink: int = 1,
    precisions: Sequence[str] = ("fp32", "bf16"),
    *,
    files: Files,
) -> Iterator[Target]:
    """Measure one target after the other.

    Args:
        build: Makes the model of a name for images of a size.
        ours: Name of our model; with ``WITH_CP`` behind it, it checkpoints its activations.
        theirs: Name of the reference implementation's.
        rounds: Timed calls of every case.
        shrink: Divides every image side: for trying the command out, not for figures.
        precisions: Of inference.
        files: Of the models, for what runs them without torch.
    """

    def scaled(size: tuple[int, int]) -> tuple[int, int]:
        return size[0] // shrink, size[1] // shrink

    deployed = DEPLOYED if has_avx512() else DEPLOYED_LESS
    for precision, (place, size) in product(precisions, enumerate(SIZES)):
        conditions = Conditions("eval", precision, scaled(size), 1)
        limits = Limits(
            deployed[precision][place], BEST_RUNTIME[precision][place], BEST_INT8[place]
        )
        yield from inference(build, ours, theirs, rounds, conditions, limits, files)
    yield from training(build, ours, theirs, rounds, scaled(SIZES[0]))
    yield cost_of_a_pixel(build, ours, rounds, scaled(SIZES[0]), scaled(LARGE))
    yield fresh_sizes(build, ours, [scaled(size) for size in FRESH_SIZES])
    yield Target("import mmfastervit beyond its dependencies, s", import_seconds(), 0.3, False)


def has_avx512() -> bool:
    """Whether torch takes this processor for one with AVX-512."""
    return torch.backends.cpu.get_cpu_capability() == "AVX512"


@dataclass(frozen=True)
class Limits:
    """What inference must reach: ratios of throughput."""

    deployed: float
    best_runtime: float
    best_int8: float


def inference(
    build: Builder,
    ours: str,
    theirs: str,
    rounds: int,
    conditions: Conditions,
    limits: Limits,
    files: Files,
) -> Iterator[Target]:
    """Deployed and by the runtimes against the reference implementation, and against the machine.

    All run in turns: the ratios are of one run. In float32 the quantised files run with them.
    """
    precision = conditions.precision
    faster = Target(f"{conditions}, throughput over {theirs}'s", None, limits.deployed, True)
    least = {"fp32": 0.90, "bf16": 0.85}[precision]
    busy = Target(f"{conditions}, share of the matrix rate", None, least, True)
    told = f"{conditions}, best runtime, throughput over {theirs}'s"
    best = Target(told, None, limits.best_runtime, True)
    if why_not := emulation(precision):
        yield from (replace(target, why_not=why_not) for target in (faster, busy, best))
        return
    runtimes, why_none = usable(precision)
    quantised = [runtime + INT8 for runtime in runtimes if precision == "fp32" and files.quantise]
    modes = ["deploy", *runtimes, *quantised]
    cases = [*(Case(ours, mode, conditions) for mode in modes), Case(theirs, "eager", conditions)]
    results = run_group(cases, build, cases[-1].name, rounds, "cpu", files)
    ratios = {result.case.mode: result.ratio for result in results[:-1]}
    yield replace(faster, value=ratios["deploy"])
    yield replace(busy, value=results[0].share, matrix_rate=results[0].matrix_rate)
    if not runtimes:
        yield replace(best, why_not=why_none)
        if precision == "fp32":
            yield unmeasured_int8(conditions, limits.best_int8, why_none)
        return
    first = max(runtimes, key=lambda mode: ratios[mode] or 0)
    yield replace(best, what=f"{told}, by {first}", value=ratios[first])
    if quantised:
        yield best_int8(
            {r.case.mode: list(r.times) for r in results[:-1]}, limits.best_int8, conditions
        )
    elif precision == "fp32":
        yield unmeasured_int8(conditions, limits.best_int8, NO_QUANTISER)


def unmeasured_int8(conditions: Conditions, limit: float, why_not: str) -> Target:
    """What to say of quantised files where there are none."""
    told = f"{conditions}, throughput in int8 over the best in fp32"
    return Target(told, None, limit, True, why_not=why_not)


def best_int8(seconds: Mapping[str, list[float]], limit: float, conditions: Conditions) -> Target:
    """The best quantised file over the best of what is in float32; seconds of each call by mode."""
    by_kind: dict[bool, list[str]] = {False: [], True: []}
    for mode in sorted(seconds, key=lambda mode: statistics.median(seconds[mode])):
        by_kind[mode.endswith(INT8)].append(mode)
    exact, fastest = by_kind[False][0], by_kind[True][0]
    return Target(
        f"{conditions}, throughput of {fastest} over {exact}'s",
        ratio(seconds[exact], seconds[fastest]),
        limit,
        True,
    )


def emulation(precision: str) -> str:
    """What to say of a precision that the processor has no arithmetic for; '' if it has."""
    rates = {}
    for name in ("fp32", precision):
        multiply, operations = matrix_product(PRECISIONS[name], "cpu", side=256)
        rates[name] = matrix_rate(multiply, operations, "cpu")
    if rates[precision] > rates["fp32"] / 4:
        return ""
    return (
        f"this processor emulates {precision}, at {rates[precision]:.1f} GFLOP/s in a matrix "
        f"product to {rates['fp32']:.0f} in fp32"
    )


def training(
    build: Builder, ours: str, theirs: str, rounds: int, size: tuple[int, int]
) -> Iterator[Target]:
    """A training step against the reference implementation's, and with checkpointing."""
    conditions = Conditions("train", "fp32", size, 2)
    least = TRAINING if has_avx512() else TRAINING_LESS
    plain, saving, reference = models = (ours, f"{ours}{WITH_CP}", theirs)
    cases = {model: Case(model, "eager", conditions) for model in models}
    calls = {model: prepare(case, build, "cpu") for model, case in cases.items()}
    seconds = time_interleaved(calls, rounds)
    calls.clear()
    memory = {model: memory_of(case, build, "cpu") for model, case in cases.items()}
    faster = ratio(seconds[reference], seconds[plain])
    yield Target(f"{conditions}, speed over {theirs}'s", faster, least, True)
    smaller = memory[plain] / memory[reference]
    yield Target(f"{conditions}, peak memory over {theirs}'s", smaller, 0.9, False)
    smaller = memory[saving] / memory[plain]
    yield Target(f"{conditions}, with_cp, peak memory over without", smaller, 0.6, False)
    slower = ratio(seconds[saving], seconds[plain])
    yield Target(f"{conditions}, with_cp, step time over without", slower, 1.4, False)


def cost_of_a_pixel(
    build: Builder, ours: str, rounds: int, small: tuple[int, int], large: tuple[int, int]
) -> Target:
    """How much more a pixel of a large image takes than one of a small image."""
    cases = [Case(ours, "deploy", Conditions("eval", "fp32", size, 1)) for size in (small, large)]
    calls = {str(c.conditions.size): prepare(c, build, "cpu") for c in cases}
    seconds = time_interleaved(calls, rounds)
    pixels = large[0] * large[1] / (small[0] * small[1])
    growth = ratio(seconds[str(large)], seconds[str(small)]) / pixels
    return Target(f"cost of a pixel, {large} over {small}", growth, 1.1, False)


def fresh_sizes(build: Builder, ours: str, sizes: list[tuple[int, int]]) -> Target:
    """What the first image of a size takes over the next ones; the median over sizes."""
    model = build(ours, sizes[0]).eval()
    growth = []
    with torch.no_grad():
        model(torch.randn(1, 3, 224, 224))
        for size in sizes:
            images = torch.randn(1, 3, *size)
            first, *steady = (time_once(partial(model, images)) for _ in range(4))
            growth.append(first / statistics.median(steady))
    return Target("first call at a new size over the next", statistics.median(growth), 1.3, False)


def report(
    targets: Iterator[Target],
    tell: Callable[[str], None] = print,
    keep: Callable[[Sequence[Target]], None] = lambda targets: None,
) -> list[Target]:
    """Tell every target, and keep all so far, as soon as it is measured; return them all."""
    found = []
    for target in targets:
        tell(str(target))
        found.append(target)
        keep(found)
    reached = sum(target.is_reached for target in found)
    tell(f"{reached} of {len(found)} targets reached")
    return found
