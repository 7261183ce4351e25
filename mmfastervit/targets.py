"""What this package promises to reach on two CPU cores, and whether it does."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from .benchmark import (
    Builder,
    Case,
    Conditions,
    by_name,
    memory_of,
    prepare,
    run_group,
)
from .measure import import_seconds, ratio, time_interleaved, time_once

SIZES = ((512, 512), (800, 1280))
LARGE = (2048, 2048)
FRESH_SIZES = ((768, 1216), (800, 1280), (736, 1120), (608, 1024), (512, 896))


@dataclass(frozen=True)
class Target:
    """A promise and what was measured."""

    what: str
    value: float
    limit: float
    at_least: bool

    @property
    def is_reached(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        verdict = "reached" if self.is_reached else "NOT reached"
        sign = ">=" if self.at_least else "<="
        return f"{verdict:12} {self.what}: {self.value:.3f} (must be {sign} {self.limit})"


def check_targets(
    build: Builder,
    ours: str,
    theirs: str,
    rounds: int = 7,
    shrink: int = 1,
    precisions: tuple[str, ...] = ("fp32", "bf16"),
) -> Iterator[Target]:
    """Measure one target after the other.

    Args:
        build: Makes the model of a name for images of a size; a function that can be pickled.
        ours: Name of our model; with ``'+cp'`` behind it, it checkpoints its activations.
        theirs: Name of the reference implementation's.
        rounds: Timed calls of every case.
        shrink: Divides every image side: for trying the command out, not for figures.
        precisions: Of inference.
    """

    def scaled(size: tuple[int, int]) -> tuple[int, int]:
        return size[0] // shrink, size[1] // shrink

    for precision in precisions:
        for size in SIZES:
            yield from inference(build, ours, theirs, rounds, precision, scaled(size))
    yield from training(build, ours, theirs, rounds, scaled(SIZES[0]))
    yield cost_of_a_pixel(build, ours, rounds, scaled(SIZES[0]), scaled(LARGE))
    yield fresh_sizes(build, ours, [scaled(size) for size in FRESH_SIZES])
    yield Target("import mmfastervit beyond its dependencies, s", import_seconds(), 0.3, False)


def inference(
    build: Builder, ours: str, theirs: str, rounds: int, precision: str, size: tuple[int, int]
) -> Iterator[Target]:
    """Deployed against the reference implementation, and against the machine."""
    conditions = Conditions("eval", precision, size, 1)
    cases = [Case(ours, "deploy", conditions), Case(theirs, "eager", conditions)]
    results = by_name(run_group(cases, build, cases[1].name, rounds, "cpu"))
    found = results[cases[0].name]
    yield Target(f"{conditions}, throughput over upstream's", found.ratio, 1.12, True)
    limit = {"fp32": 0.90, "bf16": 0.85}[precision]
    yield Target(f"{conditions}, share of the matrix rate", found.share, limit, True)


def training(
    build: Builder, ours: str, theirs: str, rounds: int, size: tuple[int, int]
) -> Iterator[Target]:
    """A training step against the reference implementation's, and with checkpointing."""
    conditions = Conditions("train", "fp32", size, 2)
    plain, saving, reference = (
        Case(model, "eager", conditions) for model in (ours, f"{ours}+cp", theirs)
    )
    calls = {case.name: prepare(case, build, "cpu") for case in (plain, saving, reference)}
    seconds = time_interleaved(calls, rounds)
    calls.clear()
    memory = {case.name: memory_of(case, build, "cpu") for case in (plain, saving, reference)}
    faster = ratio(seconds[reference.name], seconds[plain.name])
    yield Target(f"{conditions}, speed over upstream's", faster, 1.05, True)
    smaller = memory[plain.name] / memory[reference.name]
    yield Target(f"{conditions}, peak memory over upstream's", smaller, 0.9, False)
    smaller = memory[saving.name] / memory[plain.name]
    yield Target(f"{conditions}, with_cp, peak memory over without", smaller, 0.6, False)
    slower = ratio(seconds[saving.name], seconds[plain.name])
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
            first, *steady = (time_once(lambda x=images: model(x)) for _ in range(4))
            growth.append(first / statistics.median(steady))
    return Target("first call at a new size over the next", statistics.median(growth), 1.3, False)


def report(targets: Iterator[Target], tell: Callable[[str], None] = print) -> list[Target]:
    """Tell every target as soon as it is measured; return them all."""
    found = []
    for target in targets:
        tell(str(target))
        found.append(target)
    missed = sum(not target.is_reached for target in found)
    tell(f"{len(found) - missed} of {len(found)} targets reached")
    return found
