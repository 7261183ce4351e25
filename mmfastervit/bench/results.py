"""Results as JSON, CSV and a plot."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mmfastervit.files import written_whole

from .cases import Result


def write_json(path: Path, content: Mapping) -> None:
    """Write a file as JSON; whoever reads it finds the one before or all of this."""
    with written_whole(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")


COLUMNS = (
    # as timm's benchmark names them; step times are in ms, the counts in 10**9 and 10**6
    *("model", "img_size", "batch_size"),
    *("infer_samples_per_sec", "infer_step_time", "infer_gmacs"),
    *("train_samples_per_sec", "train_step_time", "param_count"),
    # and ours
    *("precision", "mode", "height", "width", "channels", "spread", "ratio", "peak_memory_mib"),
    "attention",
)


def write_csv(path: Path, results: Sequence[Result]) -> None:
    """Write a row for each result, in the columns of timm's benchmark and some of ours."""
    write_rows(path, COLUMNS, map(row, results))


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows by column; a column that a row lacks stays empty there."""
    with written_whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def row(result: Result) -> dict[str, object]:
    """A result by column; those of the other task are not there.

    ``img_size`` is the width, as timm has it; ``infer_gmacs`` are multiply-adds of one image.
    """
    case, conditions = result.case, result.case.conditions
    height, width = conditions.size
    task = "infer" if conditions.task == "eval" else "train"
    found: dict[str, object] = {
        "model": case.model,
        "img_size": width,
        "batch_size": conditions.batch,
        f"{task}_samples_per_sec": round(result.images_per_second, 2),
        f"{task}_step_time": round(result.seconds * 1e3, 3),
        "param_count": round(result.parameters / 1e6, 2),
        "precision": conditions.precision,
        "mode": case.mode,
        "height": height,
        "width": width,
        "channels": conditions.channels,
        "spread": round(result.spread, 4),
        "ratio": "" if result.ratio is None else round(result.ratio, 4),
        "peak_memory_mib": "" if result.memory is None else round(result.memory, 1),
        "attention": " ".join(result.attention),
    }
    if task == "infer":
        found["infer_gmacs"] = round(result.gflops / 2 / conditions.batch, 2)
    return found


def plot(path: Path, results: Sequence[Result]) -> None:
    """Draw pixels a second over image size, a panel for each task, precision and batch."""
    from matplotlib.figure import Figure

    panels: dict[tuple, dict[str, list]] = {}
    for result in results:
        c = result.case.conditions
        lines = panels.setdefault((c.task, c.precision, c.batch), {})
        pixels = c.size[0] * c.size[1]
        point = pixels / 1e6, result.images_per_second * pixels / 1e6
        lines.setdefault(result.case.name, []).append(point)
    figure = Figure(figsize=(5 * len(panels), 4.5), layout="constrained")
    for axis, ((task, kind, batch), lines) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        for name, points in lines.items():
            axis.plot(*zip(*sorted(points), strict=True), marker="o", label=name)
        axis.set(
            title=f"{task}, {kind}, batch {batch}",
            xlabel="image size, megapixels",
            ylabel="throughput, megapixels / s",
            ylim=(0, None),
        )
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.legend(fontsize=7)
    figure.savefig(path, dpi=120)
