"""Whole detectors and segmentors: what preparing, computing and finishing take, apart.

What a part is follows from where the model does it. In torch the network is what is left of a
prediction once its preprocessor's time and that of decoding, NMS and mask pasting (also those of
proposals) are taken off. A file has decoding and NMS inside: there the network is the file, and
finishing is what brings its results into the data sample, pasting of masks among it.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mmfastervit.runtimes import FileModel

from .measure import ratio, spread

PREPROCESSING, NETWORK, POSTPROCESSING = PARTS = ("preprocessing", "network", "postprocessing")
# Methods of mmdet's and mmseg's heads and models that turn maps into boxes, masks and class maps
_FINISHING = ("predict_by_feat", "postprocess_result", "add_pred_to_datasample")
_FUSION = "BasePanopticFusionHead"  # whose `predict` does so
_WARM_UP = 2

Batch = Mapping[str, Any]  # as a loader of tests gives it


class Stopwatch:
    """Seconds of one call by part; what no watched function takes is the ``rest``'s.

    Args:
        model: With a ``test_step``.
        rest: One of ``PARTS``.
    """

    def __init__(self, model: Any, rest: str):
        self._model, self._rest = model, rest
        self._seconds = dict.fromkeys(PARTS, 0.0)
        self._is_watching = False

    def watch(self, owner: Any, name: str, part: str) -> None:
        """Count the time of an owner's function to a part, but where another one calls it."""
        function = getattr(owner, name)

        def watched(*arguments: Any, **named: Any) -> Any:
            if self._is_watching:
                return function(*arguments, **named)
            self._is_watching, start = True, time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self._seconds[part] += time.perf_counter() - start
                self._is_watching = False

        setattr(owner, name, watched)

    @torch.no_grad()
    def __call__(self, batch: Batch) -> dict[str, float]:
        """Predict on a batch, and return the seconds of each part; they add up to the call's."""
        self._seconds = dict.fromkeys(PARTS, 0.0)
        start = time.perf_counter()
        self._model.test_step(batch)
        whole = time.perf_counter() - start
        self._seconds[self._rest] += whole - sum(self._seconds.values())
        return self._seconds


def watch_model(model: Any) -> Stopwatch:
    """Watch the parts of a detector or segmentor in torch.

    Args:
        model: In eval mode; it predicts as before, and is watched from now on.

    Raises:
        ValueError: Nothing is known of where it finishes its results.
    """
    stopwatch = Stopwatch(model, NETWORK)
    stopwatch.watch(model.data_preprocessor, "forward", PREPROCESSING)
    found = [
        (module, name)
        for module in model.modules()
        for name in (*_FINISHING, *(("predict",) if _fuses(module) else ()))
        if hasattr(module, name)
    ]
    if not any(name != "add_pred_to_datasample" for _, name in found):
        raise ValueError(
            f"no part of this {type(model).__name__} has {' or '.join(_FINISHING[:2])}, so that "
            "its postprocessing can't be told from its network"
        )
    for module, name in found:
        stopwatch.watch(module, name, POSTPROCESSING)
    return stopwatch


def _fuses(module: nn.Module) -> bool:
    return any(kind.__name__ == _FUSION for kind in type(module).__mro__)


def watch_file(model: FileModel) -> Stopwatch:
    """Watch the parts of a file in the place of a model; see :func:`watch_model`."""
    stopwatch = Stopwatch(model, POSTPROCESSING)
    stopwatch.watch(model, "take", PREPROCESSING)
    stopwatch.watch(model, "runtime", NETWORK)
    return stopwatch


@dataclass(frozen=True)
class WholeConditions:
    """What all that runs a model in turns has in common."""

    precision: str
    size: tuple[int, int]  # height, width of the pictures, which the pipeline has scaled
    batch: int

    def __str__(self) -> str:
        height, width = self.size
        return f"predict {self.precision} {height}x{width} batch {self.batch}"


@dataclass(frozen=True)
class Part:
    """What one part takes."""

    seconds: float  # median
    share: float  # of the time of all calls
    times: tuple[float, ...]  # seconds in each timed call


@dataclass(frozen=True)
class WholeResult:
    """What was measured of a model by one runtime."""

    model: str
    runtime: str
    conditions: WholeConditions
    seconds: float  # median of the whole call
    spread: float  # distance of the quartiles over the median
    images_per_second: float
    ratio: float | None  # throughput over torch's in the same rounds, None without it
    parts: dict[str, Part]
    times: tuple[float, ...]  # seconds of every timed call: in each, the sum of its parts


def run_whole(
    model: str,
    stopwatches: Mapping[str, Stopwatch],
    conditions: WholeConditions,
    batch: Callable[[], Batch],
    rounds: int,
    baseline: str,
) -> list[WholeResult]:
    """Time a model by several runtimes in turns, one call each a round.

    Args:
        model: Its name.
        stopwatches: By the runtime's name.
        conditions: Told in the results.
        batch: Makes what is predicted on, anew for each call, as samples are filled.
        rounds: Timed calls of each; two more, untimed, come before.
        baseline: The runtime that the ratios are to.
    """
    calls: dict[str, list[dict[str, float]]] = {name: [] for name in stopwatches}
    for turn in range(_WARM_UP + rounds):
        for name, stopwatch in stopwatches.items():
            seconds = stopwatch(batch())
            if turn >= _WARM_UP:
                calls[name].append(seconds)
    times = {name: [sum(call.values()) for call in of] for name, of in calls.items()}
    return [
        WholeResult(
            model,
            name,
            conditions,
            seconds=statistics.median(times[name]),
            spread=spread(times[name]),
            images_per_second=conditions.batch / statistics.median(times[name]),
            ratio=ratio(times[baseline], times[name]) if baseline in times else None,
            parts={part: _part([call[part] for call in of], sum(times[name])) for part in PARTS},
            times=tuple(times[name]),
        )
        for name, of in calls.items()
    ]


def _part(seconds: Sequence[float], whole: float) -> Part:
    return Part(statistics.median(seconds), sum(seconds) / whole, tuple(seconds))


def whole_line(result: WholeResult) -> str:
    """One result as a line of text."""
    parts = ", ".join(
        f"{name} {part.seconds * 1e3:.1f} ms ({part.share:.0%})"
        for name, part in result.parts.items()
    )
    compared = "" if result.ratio is None else f"  x{result.ratio:.3f} of torch"
    return (
        f"  {result.runtime:12} {result.seconds * 1e3:9.1f} ms +-{result.spread:5.1%} "
        f"{result.images_per_second:8.2f} images/s{compared}\n    {parts}"
    )


def whole_row(result: WholeResult) -> dict[str, object]:
    """A result by column of the CSV; those that it has no figure for are not there."""
    height, width = result.conditions.size
    of_parts = {f"{name}_ms": round(part.seconds * 1e3, 3) for name, part in result.parts.items()}
    return {
        "model": result.model,
        "img_size": width,
        "batch_size": result.conditions.batch,
        "infer_samples_per_sec": round(result.images_per_second, 2),
        "infer_step_time": round(result.seconds * 1e3, 3),
        "precision": result.conditions.precision,
        "mode": result.runtime,
        "height": height,
        "width": width,
        "spread": round(result.spread, 4),
        "ratio": "" if result.ratio is None else round(result.ratio, 4),
        **of_parts,
    }
