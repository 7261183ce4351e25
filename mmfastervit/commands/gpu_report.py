"""Measure all that is owed of a GPU in one run, and write it as JSON, CSV and tables.

Throughput of the backbones of FasterViT, Swin and ConvNeXt in inference and training, in three
precisions, eager, compiled and as CUDA graphs; peak memory; which kernel attention ran on, and
whether padding its bias pays; and the goals, each reached, missed or not measured. The most
important comes first, so a short time leaves the rest out and says so. Files are written after
each group: what a killed run had measured is there. It needs torch, timm and mmengine alone, and
the PyPI package `fastervit` for the reference implementation, if that is to be measured.

Examples:
    mmfastervit gpu-report --out report
    mmfastervit gpu-report --out report --minutes 60
    mmfastervit gpu-report --out report --models fastervit_2 swin_t --precisions fp16
    mmfastervit gpu-report --out trial --device cpu --shrink 16 --modes eager deploy  # try it out
"""

from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mmfastervit.bench.cases import CHANGES
from mmfastervit.bench.gpu.budget import Budget
from mmfastervit.bench.gpu.goals import judge, summary
from mmfastervit.bench.gpu.plan import MODELS, PRECISIONS, Choice, plan
from mmfastervit.bench.gpu.running import ROUNDS_SECONDS, Bench, Report, run_plan
from mmfastervit.bench.gpu.writing import NAME, results_of, write_report
from mmfastervit.bench.machine import machine, settle_tf32
from mmfastervit.bench.models import BUILT, build

from .arguments import check_folder

MINUTES = 8.0
RESERVE = 0.05  # of the time, for imports before and writing after
METHOD = """\
Backbones without heads, weights drawn: ours and timm's return the maps of four stages, the
reference class scores; at 224x224 and batch 128 too it is the backbone's own pass. Medians of up to
{rounds} calls (of fewer, at least three, where those would take over {seconds:g} s), each in turns
with the model that the tables compare to, under the same conditions. Time is that between two
events of the GPU. fp16 and bf16 are autocast, but for mode `cast`; fp32 is without TF32;
`torch.backends.cudnn.benchmark` is off. A training step is without optimizer and without scaling of
the loss. Memory is that of tensors, weights included. Modes: {modes}."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(NAME),
        metavar="DIR",
        help=f"folder of {NAME}.json, .csv and .md (default: ./{NAME})",
    )
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, help=f"that it may take (default: {MINUTES:g})"
    )
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, metavar="NAME", help=", ".join(MODELS)
    )
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, help="default: all")
    parser.add_argument(
        "--modes",
        nargs="+",
        choices=tuple(CHANGES),
        help="words that a mode may have; default: all",
    )
    parser.add_argument("--rounds", type=int, default=9, help="timed calls of each, at most")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument(
        "--shrink",
        type=int,
        default=1,
        metavar="N",
        help="divide image sides and batches: try it out, for no figures",
    )


def prepare(args: Namespace) -> Namespace:
    """Check the options and fill in defaults."""
    check_folder("--out", args.out)
    for name in ("minutes", "rounds", "shrink"):
        least = 0.01 if name == "minutes" else 1
        if not getattr(args, name) >= least:
            raise ValueError(f"--{name} takes at least {least}, not {getattr(args, name)}")
    if args.device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "torch finds no GPU here, and these figures are of one (`mmfastervit doctor` says why);"
            " to try the command out, for no figures: --device cpu --shrink 16 --modes eager deploy"
        )
    if args.device == "cpu" and args.shrink == 1:
        raise ValueError(
            "--device cpu is for trying the command out: make images smaller by --shrink 16"
        )
    args.models = args.models or list(MODELS)
    args.precisions = args.precisions or list(PRECISIONS)
    args.modes = args.modes or list(CHANGES)
    return args


def run(args: Namespace) -> int:
    """Measure, write and tell; 1 where nothing could be measured."""
    if args.device == "cuda":
        settle_tf32()
    budget = Budget(args.minutes * 60 * (1 - RESERVE))
    trial = why_trial(args)
    about = about_run(args, trial)
    tell = partial(print, flush=True)
    tell(about["machine"])

    def keep(report: Report) -> None:
        write_report(args.out, about, report, judge(report.outcomes, trial))

    choice = Choice(args.models, args.precisions, args.modes, args.shrink)
    bench = Bench(build, args.device, args.rounds, budget, is_trial=bool(trial))
    report = run_plan(plan(choice), bench, keep, tell)
    tell("\n" + "\n".join(summary(judge(report.outcomes, trial))))
    tell(f"{args.out / NAME}.json, .csv and .md: {len(results_of(report))} results")
    return int(not results_of(report))


def why_trial(args: Namespace) -> str:
    """Why figures of these options count for nothing; '' where they count."""
    if args.device == "cpu":
        return "this was a trial on a CPU"
    return f"this was a trial with images shrunk by {args.shrink}" if args.shrink > 1 else ""


def about_run(args: Namespace, trial: str) -> dict[str, Any]:
    """What the report says of itself."""
    modes = ", ".join(f"`{word}` ({meaning})" for word, meaning in CHANGES.items())
    method = METHOD.format(rounds=args.rounds, seconds=ROUNDS_SECONDS, modes=modes)
    method = " ".join(method.split())
    asked = {key: str(value) if key == "out" else value for key, value in vars(args).items()}
    return dict(machine=machine(args.device), trial=trial, method=method, built=BUILT, asked=asked)
