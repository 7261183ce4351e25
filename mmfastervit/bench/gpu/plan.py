"""What a report measures, the most important first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from mmfastervit.bench.cases import WITH_CP, Case, Conditions
from mmfastervit.bench.models import OURS

MAIN = "fastervit_2"
UPSTREAM = "upstream_fastervit_2"
RIVALS = (UPSTREAM, "swin_t", "convnext_t")
OTHERS = (
    *("fastervit_0", "fastervit_4", "upstream_fastervit_0", "upstream_fastervit_4"),
    *("swin_s", "swin_b", "convnext_s", "convnext_b"),
)
MODELS = (MAIN, *RIVALS, *OTHERS)
CLASSIFY, SQUARE, DETECT = (224, 224), (512, 512), (800, 1280)
BATCHES = {CLASSIFY: (128,), SQUARE: (8, 1, 32), DETECT: (8, 1, 32)}
PRECISIONS = ("fp16", "fp32", "bf16")
HEADS = ((CLASSIFY, 128), (DETECT, 8), (SQUARE, 8))  # the sizes that most depends on
TRAINED = ((SQUARE, 8), (DETECT, 2))
SMALLEST = 32  # side of an image that was shrunk, in pixels


@dataclass(frozen=True)
class Choice:
    """What is wanted of all that could be measured.

    Args:
        models: Names, of ``MODELS``.
        precisions: Of ``PRECISIONS``.
        modes: Words of :data:`mmfastervit.bench.cases.CHANGES` that a mode may have.
        shrink: Divides sides and batches: for trying the command out.
    """

    models: Sequence[str]
    precisions: Sequence[str]
    modes: Sequence[str]
    shrink: int = 1

    def baseline(self, task: str) -> str:
        """'MODEL:MODE' that all others are measured beside: the main one, as it is used."""
        model = MAIN if MAIN in self.models else self.models[0]
        return f"{model}:{'deploy' if task == 'eval' and model in OURS else 'eager'}"

    def scaled(self, conditions: Conditions) -> Conditions:
        """The conditions with what ``shrink`` leaves of images and batch."""
        height, width = (max(side // self.shrink, min(side, SMALLEST)) for side in conditions.size)
        batch = max(conditions.batch // self.shrink, 1)
        return replace(conditions, size=(height, width), batch=batch)

    def has(self, case: Case) -> bool:
        """Whether a case is wanted."""
        return (
            case.model.removesuffix(WITH_CP) in self.models
            and case.conditions.precision in self.precisions
            and case.changes <= set(self.modes)
        )


@dataclass(frozen=True)
class Group:
    """Cases that share their conditions; each is measured beside the first."""

    cases: tuple[Case, ...]

    @property
    def conditions(self) -> Conditions:
        return self.cases[0].conditions


@dataclass(frozen=True)
class Padding:
    """A look at whether padding pays in the attention of a model."""

    model: str
    conditions: Conditions


Step = Group | Padding


def plan(choice: Choice) -> list[Step]:
    """All steps that have something to measure; a case stands in the first that asks for it."""
    steps: list[Step] = []
    seen: set[Case] = set()
    for wanted in by_importance():
        conditions = choice.scaled(wanted.conditions)
        if isinstance(wanted, Padding):
            step = replace(wanted, conditions=conditions)
            if wanted.model in choice.models and conditions.precision in choice.precisions:
                steps.append(step)
            continue
        first = case_of(choice.baseline(conditions.task), conditions)
        if conditions.precision not in choice.precisions:
            continue
        cases = dict.fromkeys(replace(case, conditions=conditions) for case in wanted.cases)
        rest = tuple(c for c in cases if choice.has(c) and c not in seen and c != first)
        if rest or first not in seen:
            steps.append(Group((first, *rest)))
            seen |= {first, *rest}
    return steps


def by_importance() -> Iterator[Step]:
    """Groups and looks, what matters most first; some cases come again in later ones.

    First the main model beside its rivals where the goals are judged, then memory of training and
    single images, compiled models, other precisions and batches, other models, and in the end all
    that is left of the grid.
    """
    modes = [f"{MAIN}:{mode}" for mode in ("deploy+cuda_graph", "deploy+channels_last")]
    modes += [f"{MAIN}:eager", f"{MAIN}:deploy+cast"]
    rivals = [f"{model}:eager" for model in RIVALS]
    rivals_last = [f"{model}:channels_last" for model in RIVALS[1:]]
    recorded = [f"{model}:cuda_graph" for model in RIVALS]
    brief = [*rivals, *modes[:1]]
    for size, batch in HEADS:
        yield inference("fp16", size, batch, [*rivals, *modes, *rivals_last, *recorded])
    for size, batch in HEADS:
        yield Padding(MAIN, Conditions("eval", "fp16", size, batch))
    yield training("fp16", *TRAINED[0])
    for size in (DETECT, SQUARE):
        yield inference("fp16", size, 1, [*brief, *recorded])
    for size, batch in HEADS[:2]:
        yield inference("fp16", size, batch, [f"{MAIN}:deploy+compiled"])
    for precision, (size, batch) in product(PRECISIONS[1:], HEADS):
        yield inference(precision, size, batch, brief)
    for size, batch in HEADS[:2]:
        yield inference("fp16", size, batch, [f"{model}:compiled" for model in RIVALS])
    for precision, batch, size in product(PRECISIONS, (32, 1), (DETECT, SQUARE)):
        yield inference(precision, size, batch, brief)
    for precision, (size, batch) in product(PRECISIONS, TRAINED):
        yield training(precision, size, batch)
    for size, batch in HEADS:
        yield inference("fp16", size, batch, [as_used(model) for model in OTHERS])
    yield Padding(MAIN, Conditions("eval", "fp32", DETECT, 8))
    yield from the_rest()


def the_rest() -> Iterator[Group]:
    """The whole grid: every model in every mode, size, batch and precision."""
    for size, position, precision in product(BATCHES, range(3), PRECISIONS):
        if position >= len(BATCHES[size]):
            continue
        names = []
        for model, mode in product(MODELS, ("eager", "channels_last", "cuda_graph", "compiled")):
            names.append(f"{model}:{mode}")
            if model in OURS:
                names.append(f"{model}:{'deploy+' + mode}".removesuffix("+eager"))
        names.append(f"{MAIN}:deploy+compiled+cuda_graph")
        yield inference(precision, size, BATCHES[size][position], names)


def as_used(model: str) -> str:
    """'MODEL:MODE' of a model as one would use it: ours deployed."""
    return f"{model}:{'deploy' if model in OURS else 'eager'}"


def inference(precision: str, size: tuple[int, int], batch: int, names: Sequence[str]) -> Group:
    """A group of inference."""
    conditions = Conditions("eval", precision, size, batch)
    return Group(tuple(case_of(name, conditions) for name in names))


def training(precision: str, size: tuple[int, int], batch: int) -> Group:
    """Training steps of the main model, with activation checkpointing too, and of its rivals."""
    conditions = Conditions("train", precision, size, batch)
    names = [f"{MAIN}:eager", *(f"{model}:eager" for model in RIVALS), f"{MAIN}{WITH_CP}:eager"]
    return Group(tuple(case_of(name, conditions) for name in names))


def case_of(name: str, conditions: Conditions) -> Case:
    """The case that 'MODEL:MODE' names."""
    model, _, mode = name.partition(":")
    return Case(model, mode, conditions)
