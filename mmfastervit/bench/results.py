"""Results as text, JSON and a plot."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmfastervit.files import written_whole

from .cases import Result


def write_json(path: Path, content: Mapping) -> None:
    """Write a file as JSON; whoever reads it finds the one before or all of this."""
    with written_whole(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")


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
