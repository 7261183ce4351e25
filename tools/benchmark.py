"""FasterViT beside the reference implementation, Swin and ConvNeXt: speed, operations, memory.

All that share task, precision, size and batch run in turns, so that what else the machine does
falls on all of them alike. Needs timm, and the PyPI package `fastervit` for `upstream_*`.

Examples:
    python tools/benchmark.py --sizes 512x512 800x1280 --json out.json --plot out.png
    python tools/benchmark.py --models fastervit_2 upstream_fastervit_2 --tasks train --batches 2
    python tools/benchmark.py --device cuda --precisions bf16 fp16 --batches 1 8 32
    python tools/benchmark.py --target      # what must be reached on two cores, and whether it is
"""

import json
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from dataclasses import asdict
from functools import partial
from itertools import product, starmap
from pathlib import Path

import timm
import torch
from torch import nn

from mmfastervit import FasterViT
from mmfastervit.benchmark import (
    MODES,
    PRECISIONS,
    TASKS,
    Case,
    Conditions,
    machine,
    plot,
    run_cases,
    write_json,
)
from mmfastervit.models.backbones import ARCHS
from mmfastervit.targets import check_targets, report

OURS = tuple(ARCHS)
UPSTREAM = tuple(f"upstream_fastervit_{i}" for i in range(7))
TIMM = {
    "swin_t": "swin_tiny_patch4_window7_224",
    "swin_s": "swin_small_patch4_window7_224",
    "swin_b": "swin_base_patch4_window7_224",
    "convnext_t": "convnext_tiny",
    "convnext_s": "convnext_small",
    "convnext_b": "convnext_base",
}
WITH_CP = "+cp"  # behind the name of one of ours: with activation checkpointing
MODELS = (*OURS, *(name + WITH_CP for name in OURS), *UPSTREAM, *TIMM)


def build(name: str, size: tuple[int, int]) -> nn.Module:
    """Build a model by its name for images of a size, without stochastic depth.

    Ours and timm's return the maps of four stages, the reference implementation class scores.
    """
    if name in TIMM:
        options = dict(strict_img_size=False) if "swin" in name else {}
        return timm.create_model(TIMM[name], features_only=True, **options)
    if name in UPSTREAM:
        return build_upstream(name, size)
    arch, with_cp = name.removesuffix(WITH_CP), name.endswith(WITH_CP)
    return FasterViT(arch, drop_path_rate=0.0, out_norm=None, with_cp=with_cp)


def build_upstream(name: str, size: tuple[int, int]) -> nn.Module:
    """Build the reference implementation at one size, with its windows of 7."""
    try:
        from fastervit import create_model
    except ImportError as error:
        raise ValueError(f"{name} needs the reference package: pip install fastervit") from error
    upstream = name.replace("upstream_fastervit", "faster_vit") + "_any_res"
    return create_model(
        upstream,
        resolution=list(size),
        window_size=[7, 7, 7, 7],
        dim=ARCHS[name.removeprefix("upstream_")].dim,
        drop_path_rate=0.0,
    )


def image_size(text: str) -> tuple[int, int]:
    """Read 'HxW', such as 800x1280."""
    try:
        height, width = map(int, text.split("x"))
    except ValueError:
        raise ArgumentTypeError(f"expected HEIGHTxWIDTH such as 800x1280, got {text!r}") from None
    return height, width


def parse_args(parser: ArgumentParser) -> Namespace:
    add = partial(parser.add_argument, nargs="+")
    defaults = ["fastervit_2", "upstream_fastervit_2", *TIMM]
    add("--models", choices=MODELS, default=defaults, metavar="NAME", help=", ".join(MODELS))
    add("--modes", choices=MODES, default=MODES)
    add("--tasks", choices=TASKS, default=["eval"])
    add("--precisions", choices=PRECISIONS, help="default: fp32, of --target fp32 and bf16")
    sizes = [(512, 512), (800, 1280), (1024, 1024), (2048, 2048)]
    add("--sizes", type=image_size, default=sizes, metavar="HxW")
    add("--batches", type=int, default=[1])
    parser.add_argument("--baseline", default="upstream_fastervit_2:eager", metavar="MODEL:MODE")
    parser.add_argument("--rounds", type=int, default=7, help="timed calls of each")
    parser.add_argument("--threads", type=int, help="of the CPU (default: as torch finds)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--no-memory", action="store_true", help="do not measure peak memory")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw throughput over size")
    parser.add_argument(
        "--target",
        action="store_true",
        help="measure the targets of --models[0] against --models[1] instead; exit status 1 when "
        "one is missed",
    )
    parser.add_argument("--shrink", type=int, default=1, help="of --target: try it out, smaller")
    args = parser.parse_args()
    if args.baseline.partition(":")[2] not in MODES:
        parser.error(f"--baseline takes MODEL:MODE, MODE of {', '.join(MODES)}")
    if args.device == "cpu" and "fp16" in (args.precisions or ()):
        parser.error("fp16 is measured on --device cuda only")
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: torch finds no GPU")
    return args


def cases_of(args: Namespace) -> list[Case]:
    """Everything asked for; folding is for our models in inference only."""
    precisions = args.precisions or ["fp32"]
    conditions = starmap(Conditions, product(args.tasks, precisions, args.sizes, args.batches))
    return [
        Case(model, mode, condition)
        for condition, model, mode in product(conditions, args.models, args.modes)
        if mode != "deploy" or (model in OURS and condition.task == "eval")
    ]


def compare(args: Namespace) -> int:
    """Measure what was asked for."""
    print(json.dumps(machine(args.device)), flush=True)
    tell = partial(print, flush=True)
    cases = cases_of(args)
    memory = not args.no_memory
    results = run_cases(cases, build, args.baseline, args.rounds, args.device, memory, tell)
    if args.json:
        write_json(args.json, results, args.baseline, args.device)
    if args.plot:
        plot(args.plot, results)
    return 0


def check(args: Namespace) -> int:
    """Measure the targets; 1 if one is missed."""
    print(json.dumps(machine("cpu")), flush=True)
    ours, theirs = args.models[:2]
    precisions = tuple(p for p in ("fp32", "bf16") if p in (args.precisions or ("fp32", "bf16")))
    targets = check_targets(build, ours, theirs, args.rounds, args.shrink, precisions)
    found = report(targets, partial(print, flush=True))
    if args.json:
        args.json.write_text(json.dumps([asdict(target) for target in found], indent=1) + "\n")
    return int(not all(target.is_reached for target in found))


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    args = parse_args(parser)
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        status = check(args) if args.target else compare(args)
    except ValueError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    parser.exit(status)


if __name__ == "__main__":
    main()
