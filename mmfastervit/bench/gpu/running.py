"""Measuring what was planned: each case by itself beside its group's first, whatever fails."""

import copy
import gc
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from mmfastervit.bench.cases import (
    PRECISIONS,
    Builder,
    Case,
    Conditions,
    Counts,
    Result,
    compiling_afresh,
    counts_of,
    line,
    prepare,
    time_by_kind,
)
from mmfastervit.bench.measure import (
    attention_kernels,
    matrix_product,
    matrix_rate,
    ratio,
    spread,
    time_interleaved,
    time_once,
    watched_memory,
)
from mmfastervit.bench.models import is_built_for_size

from .budget import Budget, TimeIsUp, ended_after
from .padding import Padded, difference, padding_pays
from .plan import Group, Padding, Step, as_used, case_of

WARM_UP_SECONDS = 0.3
WARM_UP_CALLS = 2
ROUNDS_SECONDS = 2.0  # that the timed calls of a case and its baseline may take
LEAST_ROUNDS = 3
TOLERANCE = {"fp32": 1e-3, "fp16": 0.05, "bf16": 0.15}  # of the largest value, by rounding
MESSAGE = 300  # characters that are kept of an error's
TRIAL_SIDE = 256  # of the matrix product where the command is tried out


class DeviceLost(Exception):
    """The GPU answers nothing any more, and no later figure can be had in this process."""


@dataclass(frozen=True)
class Outcome:
    """What became of a case: a result, or why there is none."""

    case: Case
    baseline: str  # 'MODEL:MODE' that the result's ratio is to
    result: Result | None = None
    trouble: str = ""
    difference: float | None = None  # of its maps from the baseline's, where both are one model's


@dataclass
class Report:
    """What has been found so far."""

    outcomes: list[Outcome] = field(default_factory=list)
    paddings: list[Padded] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)  # of looks at padding
    left_out: list[Case] = field(default_factory=list)
    stopped: str = ""  # why it ended before all was measured

    def add(self, outcome: Outcome) -> None:
        """Add an outcome, unless it is of a baseline that another group has measured."""
        done = {one.case for one in self.outcomes if one.result}
        if outcome.case not in done:
            self.outcomes.append(outcome)


@dataclass(frozen=True)
class Ready:
    """A case that runs: its call, what that returned, and seconds that it takes."""

    case: Case
    call: Callable[[], object]
    outputs: object
    seconds: float


class Copies:
    """Builds each model once and gives copies: all modes have the same weights, soon made."""

    def __init__(self, build: Builder):
        self._build = build
        self._models: dict[tuple[str, tuple[int, int] | None], nn.Module] = {}

    def __call__(self, name: str, size: tuple[int, int]) -> nn.Module:
        key = name, size if is_built_for_size(name) else None
        if key not in self._models:
            self._models[key] = self._build(name, size)
        return copy.deepcopy(self._models[key])


def run_plan(
    steps: Sequence[Step],
    bench: "Bench",
    keep: Callable[[Report], None],
    tell: Callable[[str], None] = print,
) -> Report:
    """Measure step by step until all is done or the time is up.

    Args:
        steps: The most important first.
        bench: Measures.
        keep: Gets all that was found so far, after each group.
        tell: Gets a line of text at a time.
    """
    report = Report()
    try:
        with ended_after(bench.budget.left):
            for step in steps:
                tell(f"\n{step.conditions}  ({bench.budget.left:.0f} s left)")
                if isinstance(step, Padding):
                    look_at_padding(step, bench, report)
                else:
                    for outcome in bench.run_group(step.cases):
                        tell(told(outcome))
                        report.add(outcome)
                keep(report)
    except TimeIsUp:
        report.stopped = "the time was up"
    except DeviceLost as error:
        report.stopped = f"the GPU answers no more: {error}"
    note_left_out(report, steps)
    if report.stopped:
        tell(f"\n{report.stopped}; left out: {len(report.left_out)} cases")
    keep(report)
    return report


def note_left_out(report: Report, steps: Sequence[Step]) -> None:
    """Note which planned cases have no outcome."""
    planned = [case for step in steps if isinstance(step, Group) for case in step.cases]
    done = {outcome.case for outcome in report.outcomes}
    report.left_out = [case for case in dict.fromkeys(planned) if case not in done]
    if report.left_out and not report.stopped:
        report.stopped = "what was left of the time was too short for the next cases"


def look_at_padding(step: Padding, bench: "Bench", report: Report) -> None:
    """Time the ways to pad; an error is told and not raised."""
    case = case_of(as_used(step.model), step.conditions)
    if bench.budget.left < bench.budget.expected(case):
        return
    try:
        with bench.budget.spent_on(case):
            call = prepare(case, bench.build, bench.device)
            call()
            report.paddings += padding_pays(call, str(step.conditions), bench.device, bench.rounds)
    except Exception as error:  # of a GPU, a driver or a compiler: the report goes on without it
        report.troubles.append(f"padding, {step.conditions}: {in_words(error)}")
    clean(bench.device)


class Bench:
    """Measures cases on one device.

    Args:
        build: Makes the model of a name for images of a size.
        device: 'cpu' or 'cuda'.
        rounds: Timed calls of a case, where they take no more than ``ROUNDS_SECONDS``.
        budget: Time that is left.
        is_trial: Whether the figures do not matter.
    """

    def __init__(
        self, build: Builder, device: str, rounds: int, budget: Budget, is_trial: bool = False
    ):
        self.build = Copies(build)
        self.device = device
        self.rounds = rounds
        self.budget = budget
        self.is_trial = is_trial
        self._counts: dict[tuple, Counts] = {}
        self._rates: dict[str, float] = {}

    def run_group(self, cases: Sequence[Case]) -> Iterator[Outcome]:
        """Measure cases of the same conditions, the first alone, the others beside it.

        What there is no time for has no outcome.
        """
        first: Ready | None = None
        for case in cases:
            if self.budget.left < self.budget.expected(case):
                continue
            with self.budget.spent_on(case):
                ready, outcome = self._attempt(case, first, cases[0].name)
                if case == cases[0]:
                    first = ready
                del ready
                clean(self.device, "compiled" in case.changes)
            yield outcome
        del first
        clean(self.device)

    def _attempt(
        self, case: Case, first: Ready | None, baseline: str
    ) -> tuple[Ready | None, Outcome]:
        """Measure a case, or say in words why that is not possible."""
        try:
            # first, so that what libraries allocate once is not taken for this case's memory
            counts, rate = self._counts_of(case), self._rate_of(case.conditions.precision)
            with compiling_afresh(int("compiled" in case.changes)):
                ready, memory = self._get_ready(case)
                change = change_of(ready, first)
                if change is not None and not change <= TOLERANCE[case.conditions.precision]:
                    trouble = f"computes something else than {baseline}: differs by {change:.2g}"
                    return None, Outcome(case, baseline, trouble=trouble, difference=change)
                result = self._time(ready, first, counts, rate)
                own = 1.0 if case.name == baseline else result.ratio
                result = replace(result, memory=memory, ratio=own)
                return ready, Outcome(case, baseline, result, difference=change)
        except Exception as error:  # likewise; what it was stands in the report
            trouble = in_words(error)
        self._look_at_device(case)
        return None, Outcome(case, baseline, trouble=trouble)

    def _get_ready(self, case: Case) -> tuple[Ready, float | None]:
        """Build a case and call it until it runs as it will; peak memory in MiB with it.

        Compiling takes memory of its own, which is not the model's: what comes after counts, and on
        a CPU nothing.
        """
        is_compiled = "compiled" in case.changes
        is_unseen = is_compiled and self.device == "cpu"
        with nullcontext() if is_unseen else watched_memory(self.device) as memory:
            call = prepare(case, self.build, self.device)
            outputs, spent, calls = call(), 0.0, 1
            while calls < WARM_UP_CALLS or (spent < WARM_UP_SECONDS and not self.is_trial):
                spent += (seconds := time_once(call, self.device))
                calls += 1
            if is_compiled and memory is not None:
                memory.forget()
                call()
        peak = None if memory is None else memory.peak
        return Ready(case, call, outputs, seconds), peak

    def _time(self, ready: Ready, first: Ready | None, counts: Counts, rate: float) -> Result:
        """Time a case in turns with the first of its group, or alone.

        Args:
            ready: The case.
            first: The first of its group; None where this is it, or where it failed.
            counts: Of one image.
            rate: GFLOP/s of a large matrix product in the same precision.
        """
        case, call = ready.case, ready.call
        turns = {} if first is None else {first.case.name: first.call}
        turns[case.name] = call
        taken = ready.seconds + (0.0 if first is None else first.seconds)
        rounds = rounds_within(taken, self.rounds)
        seconds = time_interleaved(turns, rounds, warm_up=1, device=self.device)
        times, beside = seconds[case.name], None if first is None else seconds[first.case.name]
        median = statistics.median(times)
        batch = case.conditions.batch
        operations = {kind: batch * count for kind, count in counts.operations.items()}
        gflops = sum(operations.values())
        is_seen = first is None and case.shows_operations
        return Result(
            case,
            seconds=median,
            spread=spread(times),
            images_per_second=batch / median,
            gflops=gflops,
            share=gflops / median / rate,
            matrix_rate=rate,
            ratio=None if beside is None else ratio(beside, times),
            attention=kernels_of(ready),
            kinds=time_by_kind(call, operations, self.device) if is_seen else {},
            times=tuple(times),
            parameters=counts.parameters,
        )

    def _counts_of(self, case: Case) -> Counts:
        """Operations of one image and parameters; the same for all modes, so they are kept."""
        single = replace(case.conditions, batch=1, precision="fp32")
        key = case.model, single
        if key not in self._counts:
            self._counts[key] = counts_of(replace(case, conditions=single), self.build, self.device)
        return self._counts[key]

    def _rate_of(self, precision: str) -> float:
        """GFLOP/s of a large matrix product, measured once for each precision."""
        if precision not in self._rates:
            side = TRIAL_SIDE if self.is_trial else None
            product, operations = matrix_product(PRECISIONS[precision], self.device, side)
            self._rates[precision] = matrix_rate(product, operations, self.device)
        return self._rates[precision]

    def _look_at_device(self, case: Case) -> None:
        """Raise DeviceLost where a failed case has taken the GPU with it."""
        if self.device != "cuda":
            return
        try:
            torch.cuda.synchronize()
            torch.ones(1, device=self.device).item()
        except Exception as error:  # whatever a lost GPU raises
            raise DeviceLost(f"{case.name}, {case.conditions}: {in_words(error)}") from error


def kernels_of(ready: Ready) -> tuple[str, ...]:
    """What attention ran on; nothing where no profiler can tell."""
    if "cuda_graph" in ready.case.changes:
        return ()
    kernels = attention_kernels(ready.call)
    return kernels if ready.case.shows_operations or kernels != ("math",) else ()


def rounds_within(seconds: float, most: int) -> int:
    """An odd number of rounds that fits ``ROUNDS_SECONDS``, if that is not too few to compare."""
    rounds = min(int(ROUNDS_SECONDS / max(seconds, 1e-9)), most)
    rounds = max(rounds, min(LEAST_ROUNDS, most))
    return rounds - 1 + rounds % 2


def change_of(ready: Ready, first: Ready | None) -> float | None:
    """How far the last map is from the baseline's; None where that is another model's.

    Weights and images of both are the same. None as well where the baseline's own are not finite.
    """
    if first is None or ready.case.model != first.case.model:
        return None
    found, expected = last_map(ready.outputs), last_map(first.outputs)
    if found is None or expected is None or not expected.isfinite().all():
        return None
    return difference(found, expected)


def last_map(outputs: object) -> Tensor | None:
    """The last of the maps that a model returned; None of a training step, which returns none."""
    if isinstance(outputs, (tuple, list)):
        outputs = outputs[-1]
    return outputs if isinstance(outputs, Tensor) else None


def clean(device: str, has_compiled: bool = False) -> None:
    """Give back what the last case held."""
    if has_compiled:
        torch._dynamo.reset()
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


def in_words(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, torch.OutOfMemoryError):
        return "out of memory: " + first_words(error).removeprefix("CUDA out of memory. ")
    return f"{type(error).__name__}: {first_words(error)}"


def first_words(error: Exception) -> str:
    """The beginning of an error's message, without line breaks."""
    return " ".join(str(error).split())[:MESSAGE] or "without a message"


def told(outcome: Outcome) -> str:
    """An outcome as a line of text."""
    if outcome.result is None:
        return f"  {outcome.case.name:36} not measured: {outcome.trouble}"
    return line(outcome.result)


def of(outcomes: Sequence[Outcome], name: str, conditions: Conditions) -> Outcome | None:
    """The outcome of 'MODEL:MODE' under some conditions."""
    case = case_of(name, conditions)
    return next((one for one in outcomes if one.case == case), None)
