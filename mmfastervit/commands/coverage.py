"""Swap the backbone of every installed config, and write what became of each.

Goes on where it was interrupted: what is in the results file is not done again.

Examples:
    mmfastervit coverage --workers 2 --results swap-coverage.jsonl
    mmfastervit coverage --only retinanet --out retinanet.md
"""

from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path

from mmfastervit.records import read_records
from mmfastervit.swap.sweep.report import write_report
from mmfastervit.swap.sweep.running import (
    killed_step,
    killed_swap,
    step_one,
    swap_one,
    zoo_names,
)

from .sweeping import run_all


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--arch", default="fastervit_0", help="default: %(default)s")
    parser.add_argument("--packages", nargs="+", default=["mmdet", "mmseg"])
    parser.add_argument("--workers", type=int, default=2, help="processes; default: %(default)s")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for one config")
    parser.add_argument("--results", type=Path, default=Path("work_dirs/swap-coverage.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("docs/swap-coverage.md"))
    parser.add_argument("--only", default="", help="configs whose name holds this text")
    parser.add_argument(
        "--retry", action="store_true", help="do again what failed and the steps that did not pass"
    )


def prepare(arguments: Namespace) -> tuple[list[str], Namespace]:
    """The names of the configs to go through."""
    for option in ("workers", "timeout"):
        if getattr(arguments, option) < 1:
            raise ValueError(f"--{option} must be at least 1, not {getattr(arguments, option)}")
    names = [name for package in arguments.packages for name in zoo_names(package)]
    names = [name for name in names if arguments.only in name]
    if not names:
        raise ValueError(f"--only {arguments.only}: no installed config has this in its name")
    return names, arguments


def run(prepared: tuple[list[str], Namespace]) -> int:
    """Swap them, run the models, and write the page."""
    names, arguments = prepared
    swapped_file = arguments.results.with_suffix(".swaps.jsonl")
    limits = dict(arch=arguments.arch, seconds=arguments.timeout)

    swaps = read_records(swapped_file, "config")
    again = ("failed", "unreadable") if arguments.retry else ()
    todo = [name for name in names if name not in swaps or swaps[name]["status"] in again]
    run_all(partial(swap_one, **limits), killed_swap, todo, arguments.workers, swapped_file)
    swaps = read_records(swapped_file, "config")

    steps = read_records(arguments.results, "model")
    keys: dict[str, str] = {}  # of each model, the first config that has it
    for name in names:
        if swaps[name]["status"] == "swapped":
            keys.setdefault(swaps[name]["model"], name)
    models = [
        (name, key)
        for key, name in keys.items()
        if key not in steps or (arguments.retry and steps[key]["reason"])
    ]
    run_all(partial(step_one, **limits), killed_step, models, arguments.workers, arguments.results)
    steps = read_records(arguments.results, "model")
    write_report([swaps[name] for name in names], steps, arguments.arch, arguments.out)
    return 0
