"""A report as three files: all of it as JSON, a row for each result as CSV, tables for a page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from mmfastervit.bench.cases import Result
from mmfastervit.bench.results import write_csv, write_json
from mmfastervit.files import written_whole

from .goals import Verdict
from .padding import Padded
from .running import Outcome, Report

NAME = "gpu_report"


def write_report(
    folder: Path, about: Mapping[str, Any], report: Report, verdicts: Sequence[Verdict]
) -> None:
    """Write all three files into a folder; each is whole whenever somebody looks.

    Args:
        folder: It is made if it is not there.
        about: What the run was made with; ``about['machine']`` as
            :func:`mmfastervit.bench.machine.machine` tells it.
        report: What was found so far.
        verdicts: On the goals.
    """
    folder.mkdir(parents=True, exist_ok=True)
    goals = [asdict(verdict) | dict(verdict=verdict.word) for verdict in verdicts]
    write_json(folder / f"{NAME}.json", dict(about) | asdict(report) | dict(goals=goals))
    write_csv(folder / f"{NAME}.csv", results_of(report))
    with written_whole(folder / f"{NAME}.md") as part:
        part.write_text("\n".join(page(about, report, verdicts)) + "\n", encoding="utf-8")


def results_of(report: Report) -> list[Result]:
    """What was measured."""
    return [outcome.result for outcome in report.outcomes if outcome.result]


def page(about: Mapping[str, Any], report: Report, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """The report as Markdown, line by line."""
    yield f"<!-- written by `mmfastervit gpu-report`, {about['machine']['date']} -->"
    yield "# Speed and memory on a GPU"
    if about["trial"]:
        yield f"\n**No figures: {about['trial']}.** This page shows what the command writes.\n"
    yield f"\n{told_machine(about['machine'])}"
    yield f"\n{about['method']}"
    if report.stopped:
        yield f"\nIt was ended before all was measured: {report.stopped}."
    yield "\n## Goals\n"
    yield from table(
        ("goal", "task, precision, size, batch", "at least", "measured", "best other mode", ""),
        map(goal_row, verdicts),
    )
    yield from figures(about, report)
    yield from paddings(report)
    yield from missing(report)


def told_machine(about: Mapping[str, Any]) -> str:
    """On what, with what and when."""
    where = about.get("gpu") or f"no GPU: {about['processor']}"
    driver = f", driver {about['driver']}, CUDA {about['cuda']}" if "gpu" in about else ""
    upstream = about["fastervit"] or "not installed, so that nothing was measured of it"
    return (
        f"{where}{driver}, torch {about['torch']}, Python {about['python']}, timm {about['timm']}, "
        f"mmfastervit {about['mmfastervit']}, fastervit (the reference) {upstream}; "
        f"{about['date'][:10]}."
    )


def goal_row(verdict: Verdict) -> tuple[str, ...]:
    best = f"{verdict.best[0]:.4g} {verdict.best[1]}" if verdict.best else ""
    value = verdict.why_not if verdict.value is None else f"{verdict.value:.4g}"
    return verdict.goal, verdict.conditions, f"{verdict.limit:g}", value, best, verdict.word


def figures(about: Mapping[str, Any], report: Report) -> Iterator[str]:
    """A table for each task and size, with a row for each result."""

    def section(outcome: Outcome) -> tuple[str, tuple[int, int]]:
        return outcome.case.conditions.task, outcome.case.conditions.size

    measured = sorted((o for o in report.outcomes if o.result), key=order)
    for (task, size), found in groupby(measured, section):
        outcomes = list(found)
        what = "Inference" if task == "eval" else "Training steps, without the optimizer's"
        yield f"\n## {what}, {size[0]}x{size[1]}\n"
        yield f"{told_machine(about['machine'])}\n"
        columns = [
            "batch", "precision", "model", "mode", "images/s", "ms", "quartiles apart",
            f"over {outcomes[0].baseline}", "MiB at the peak", "share of the matrix rate",
            "attention",
        ]  # fmt: skip
        yield from table(tuple(columns), map(figure_row, outcomes))


def order(outcome: Outcome) -> tuple:
    """Where an outcome stands in the tables; those of the same conditions as they were measured."""
    conditions = outcome.case.conditions
    return conditions.task, conditions.size, conditions.batch, conditions.precision


def figure_row(outcome: Outcome) -> tuple[str, ...]:
    result = outcome.result
    if result is None:
        raise ValueError(f"{outcome.case.name} was not measured")
    conditions = result.case.conditions
    return (
        str(conditions.batch),
        conditions.precision,
        result.case.model,
        result.case.mode,
        f"{result.images_per_second:.4g}",
        f"{result.seconds * 1e3:.4g}",
        f"{result.spread:.1%}",
        "" if result.ratio is None else f"{result.ratio:.3f}",
        "" if result.memory is None else f"{result.memory:.0f}",
        f"{result.share:.1%}",
        ", ".join(result.attention),
    )


def paddings(report: Report) -> Iterator[str]:
    """The table of ways to pad."""
    if not (report.paddings or report.troubles):
        return
    yield "\n## Whether padding pays in attention\n"
    yield (
        "One call of attention with the biases of a pass, by the shape of its logits; what pads "
        "was done before it was timed. The speed is over that of the same call as it is.\n"
    )
    yield from table(
        ("pass", "windows x heads x queries x keys", "calls", "way", "microseconds",
         "quartiles apart", "speed", "kernel", "differs by"),
        map(padding_row, report.paddings),
    )  # fmt: skip
    yield from (f"\nNot measured: {trouble}." for trouble in report.troubles)


def padding_row(padded: Padded) -> tuple[str, ...]:
    return (
        padded.conditions,
        "x".join(map(str, padded.shape)),
        str(padded.calls),
        padded.way,
        f"{padded.seconds * 1e6:.4g}",
        f"{padded.spread:.1%}",
        f"{padded.ratio:.3f}",
        ", ".join(padded.kernels),
        f"{padded.difference:.1g}",
    )


def missing(report: Report) -> Iterator[str]:
    """What has no figure: by reason, then what there was no time for."""
    reasons: dict[str, list[str]] = {}
    for outcome in report.outcomes:
        if not outcome.result:
            said = f"`{outcome.case.name}` ({outcome.case.conditions})"
            reasons.setdefault(outcome.trouble, []).append(said)
    if reasons:
        yield "\n## Not measured\n"
        yield from table(("why", "what"), ((why, ", ".join(w)) for why, w in reasons.items()))
    if report.left_out:
        yield f"\n## Left out: {report.stopped}\n"
        yield ", ".join(f"`{case.name}` ({case.conditions})" for case in report.left_out)


def table(columns: Sequence[str], rows: Any) -> Iterator[str]:
    """A table, line by line."""
    yield line_of(columns)
    yield "|" + "---|" * len(columns)
    yield from map(line_of, rows)


def line_of(cells: Sequence[str]) -> str:
    """A row; what would end a cell is written otherwise."""
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
