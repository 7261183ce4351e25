"""Draw the curves of runs side by side: loss, rate, metrics, time.

RUN is a work dir of mmengine, of any project, or one of its logs (vis_data/TIMESTAMP.json). A run
that was killed and resumed is one curve. Writes curves.png and curves.svg (with --theme dark
curves-dark.png and curves-dark.svg).

Examples:
    mmfastervit plot work_dirs/one
    mmfastervit plot work_dirs/one work_dirs/other --out curves --smooth 10
    mmfastervit plot work_dirs/one --metric coco/bbox_mAP coco/bbox_mAP_50 loss_cls --theme dark
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmfastervit.run_reports.colours import THEMES, theme
from mmfastervit.run_reports.drawing import draw_curves, save_figure
from mmfastervit.run_reports.logs import Curve, RunLog, read_run
from mmfastervit.run_reports.panels import MOST_RUNS, Panel, choose_panels, names_of

from .arguments import check_folder


@dataclass(frozen=True)
class _Request:
    """What to draw, and where to."""

    runs: Sequence[RunLog]
    panels: Sequence[Panel]
    out: Path
    theme: str
    smooth: int


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="work dir, or log")
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="made if need be (default: here)"
    )
    parser.add_argument(
        "--metric",
        nargs="+",
        metavar="NAME",
        help="what to draw, by the names in the logs (default: loss, rate, main metrics, time)",
    )
    parser.add_argument("--theme", choices=THEMES, default="light", help="(default: light)")
    parser.add_argument(
        "--smooth",
        type=int,
        default=1,
        metavar="N",
        help="draw the mean of N logged lines, of training alone (default: 1, as logged)",
    )


def prepare(arguments: Namespace) -> _Request:
    """Read the logs and choose what is drawn of them."""
    if arguments.smooth < 1:
        raise ValueError(f"--smooth takes a number of at least 1, not {arguments.smooth}")
    if len(arguments.runs) > MOST_RUNS:
        raise ValueError(
            f"{len(arguments.runs)} runs were given; {MOST_RUNS} at most are told apart in a figure"
        )
    check_folder("--out", arguments.out)
    runs = [read_run(path) for path in arguments.runs]
    panels = choose_panels(runs, arguments.metric)
    return _Request(runs, panels, arguments.out, arguments.theme, arguments.smooth)


def run(request: _Request) -> int:
    """Draw, write, and say what each run has come to."""
    names = names_of([one.path for one in request.runs])
    figure = draw_curves(request.panels, names, theme(request.theme), request.smooth)
    request.out.mkdir(parents=True, exist_ok=True)
    stem = "curves" if request.theme == "light" else f"curves-{request.theme}"
    files = save_figure(figure, request.out, stem)
    for number, (name, one) in enumerate(zip(names, request.runs, strict=True)):
        print(_headline(name, one))
        for panel in request.panels:
            print(f"  {panel.name}: {_summary(panel.curves[number], panel.is_metric)}")
        for remark in dict.fromkeys(one.remarks):
            print(f"  remark: {remark}")
    print("\n".join(map(str, files)))
    return 0


def _headline(name: str, one: RunLog) -> str:
    """How far a run has come, and where it went on."""
    text = f"{name}: logged up to iteration {one.last_step}"
    if len(one.starts) > 1:
        text += f"; started again, with its first line at {', '.join(map(str, one.starts[1:]))}"
    return text


def _summary(curve: Curve | None, is_metric: bool) -> str:
    """The last value of a curve, the best of a metric, and what is not finite."""
    if curve is None:
        return "not logged"
    text = f"last {curve.values[-1]:.4g}"
    finite = np.flatnonzero(np.isfinite(curve.values))
    if is_metric and finite.size:
        largest = finite[curve.values[finite].argmax()]
        text += f", largest {curve.values[largest]:.4g} at {curve.steps[largest]:.0f}"
    wrong = np.delete(curve.steps, finite)
    if wrong.size:
        text += f"; not finite {wrong.size} of {len(curve.steps)} times, first at {wrong[0]:.0f}"
    return text
