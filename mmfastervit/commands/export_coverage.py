"""Export every model of the installed zoos and every recipe, and write what became of each.

Each model is swapped, made smaller, exported whole and compared with its own predictions, in a
process of its own. What comes out is kept in the results file at once, so that a run that was ended
loses nothing: --resume goes on.

Examples:
    mmfastervit export-coverage --jobs 2
    mmfastervit export-coverage --resume
    mmfastervit export-coverage --only retinanet fcos_ --results some.jsonl --out some.md
"""

from argparse import ArgumentParser, Namespace
from datetime import datetime, timezone
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mmfastervit.export import require_packages
from mmfastervit.export_sweep.report import STATES, write_report
from mmfastervit.export_sweep.subjects import OWN, find_one, killed_finding, names_of
from mmfastervit.export_sweep.trying import FAILED, killed_trial, try_one
from mmfastervit.processes import Limits
from mmfastervit.records import read_records

from .sweeping import run_all

_TOLD_OF = ("torch", "onnx", "onnxruntime", "mmdet", "mmsegmentation")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--arch", default="fastervit_0", help="default: %(default)s")
    parser.add_argument(
        "--packages", nargs="+", default=["mmdet", "mmseg", OWN], help="default: %(default)s"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes; default: %(default)s")
    parser.add_argument(
        "--timeout", type=float, default=900, help="seconds for a model; default: %(default)s"
    )
    parser.add_argument(
        "--memory", type=float, default=8, help="GB for a model; default: %(default)s"
    )
    parser.add_argument("--results", type=Path, default=Path("work_dirs/export-coverage.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("docs/export-coverage.md"))
    parser.add_argument(
        "--only",
        nargs="+",
        default=[""],
        metavar="TEXT",
        help="configs with one of these in the name",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on: what is in the results file is not done again"
    )
    parser.add_argument("--retry", action="store_true", help="with --resume: do again what failed")


def prepare(arguments: Namespace) -> tuple[list[str], Namespace]:
    """The names of the configs to go through."""
    for option in ("jobs", "timeout", "memory"):
        if getattr(arguments, option) < (1 if option == "jobs" else 0.1):
            raise ValueError(f"--{option} is {getattr(arguments, option)}, which is too little")
    if arguments.retry and not arguments.resume:
        raise ValueError("--retry does again what failed before: it goes with --resume")
    require_packages()
    known = len(read_records(arguments.results, "model"))
    if known and not arguments.resume:
        raise ValueError(
            f"--results {arguments.results} has the results of {known} models: --resume goes on "
            "with them; or name another file"
        )
    names = [name for package in arguments.packages for name in names_of(package)]
    names = [name for name in names if any(text in name for text in arguments.only)]
    if not names:
        raise ValueError(
            f"--only {' '.join(arguments.only)}: no installed config has this in its name"
        )
    return names, arguments


def run(prepared: tuple[list[str], Namespace]) -> int:
    """Find the models, export them, and write the page."""
    names, arguments = prepared
    arch, results, jobs = arguments.arch, arguments.results, arguments.jobs
    models_file = results.with_suffix(".models.jsonl")
    found = read_records(models_file, "config")
    unknown = [name for name in names if name not in found]
    run_all(partial(find_one, arch=arch), killed_finding, unknown, jobs, models_file)
    found = read_records(models_file, "config")

    tried = read_records(results, "model")
    first: dict[str, str] = {}  # of each model, the first config that has it
    for name in names:
        if found[name]["model"]:
            first.setdefault(found[name]["model"], name)
    tasks = [
        (name, key)
        for key, name in first.items()
        if key not in tried or (arguments.retry and tried[key]["status"] == FAILED)
    ]
    limits = Limits(arguments.timeout, arguments.memory)
    run_all(partial(try_one, arch=arch), killed_trial, tasks, jobs, results, 1, limits)
    tried = read_records(results, "model")
    chosen = [found[name] for name in names]
    write_report(chosen, tried, arch, _about(), arguments.out, list(filter(None, arguments.only)))
    for state in STATES:
        print(f"{state}: {sum(tried[key]['status'] == state for key in first)}")
    return 0


def _about() -> str:
    day = datetime.now(timezone.utc)
    told = []
    for package in _TOLD_OF:
        try:
            told.append(f"{package} {version(package)}")
        except PackageNotFoundError:  # a fork of the same modules, under another name
            continue
    return f"on {day.day} {day:%B %Y}, with {', '.join(told)}"
