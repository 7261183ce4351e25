"""FasterViT beside the reference implementation, Swin and ConvNeXt: speed, operations, memory.

All that share task, precision, size and batch run in turns, so that what else the machine does
falls on all of them alike. Needs timm, and the PyPI package `fastervit` for `upstream_*`.

--runtimes runs our models as files by ONNX Runtime and OpenVINO in the same turns, on as many
threads: the ONNX file of each is written and checked first.

With a CONFIG a whole detector or segmentor is timed instead, deployed in torch and as a file:
preprocessing, network and postprocessing apart, on drawn pictures of --sizes.

Examples:
    mmfastervit benchmark --sizes 512x512 800x1280 --json out.json --csv out.csv --plot out.png
    mmfastervit benchmark --models fastervit_2 upstream_fastervit_2 --tasks train --batches 2
    mmfastervit benchmark --device cuda --precisions bf16 fp16 --batches 1 8 32
    mmfastervit benchmark --models fastervit_0 swin_t --channels 13   # of pictures that are not RGB
    mmfastervit benchmark --runtimes torch onnxruntime openvino --int8 --sizes 512x512 800x1280
    mmfastervit benchmark CONFIG CHECKPOINT --runtimes torch openvino --sizes 800x1280
    mmfastervit benchmark --target      # what must be reached on two cores, and whether it is
"""

import json
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from itertools import product, starmap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

from mmfastervit import export
from mmfastervit.bench.cases import INT8, MODES, PRECISIONS, TASKS, Case, Conditions, run_cases
from mmfastervit.bench.files import Files
from mmfastervit.bench.machine import machine, settle_tf32
from mmfastervit.bench.models import (
    BUILT,
    INSTALL_UPSTREAM,
    MODELS,
    OURS,
    TIMM,
    UPSTREAM,
    build,
    upstream_is_installed,
)
from mmfastervit.bench.results import plot, write_csv, write_json
from mmfastervit.bench.targets import check_targets, report
from mmfastervit.runtimes import RUNTIMES, TORCH, read_metadata, require_runtime

from .arguments import CommandFailed, add_config_options, check_writable, told_as
from .benchmark_whole import given_of, prepare_whole

COUNTED = "multiplications and additions of convolutions, linear layers and attention"
SIZES = [(512, 512), (800, 1280), (1024, 1024), (2048, 2048)]
BASELINE = "upstream_fastervit_2:eager"
PAIR = ["fastervit_2", "upstream_fastervit_2"]
NOT_OF_TARGET = (
    "modes", "tasks", "sizes", "batches", "baseline", "csv", "plot", "no_memory", "runtimes",
    "int8",
)  # fmt: skip


def image_size(text: str) -> tuple[int, int]:
    """Read 'HxW', such as 800x1280."""
    try:
        height, width = map(positive, text.split("x"))
    except ValueError:
        raise ArgumentTypeError(f"expected HEIGHTxWIDTH such as 800x1280, got {text!r}") from None
    return height, width


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    if int(text) < 1:
        raise ValueError
    return int(text)


def add_arguments(parser: ArgumentParser) -> None:
    """Options; those that --target knows itself are None unless they are given."""
    parser.add_argument("config", nargs="?", help="of a detector or segmentor, to time it whole")
    parser.add_argument("checkpoint", nargs="?", help="of CONFIG (default: as init_cfg says)")
    add = partial(parser.add_argument, nargs="+")
    add("--models", choices=MODELS, metavar="NAME", help=", ".join(MODELS))
    add("--modes", choices=MODES, help="default: all")
    add(
        "--runtimes",
        choices=(TORCH, *RUNTIMES),
        help="what runs the models; all but torch run the files of ours (default: torch)",
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="time the files of --runtimes in int8 too, quantised on noise: for speed alone "
        "(--target does so where nncf is installed)",
    )
    add("--tasks", choices=TASKS, help="default: eval")
    add("--precisions", choices=PRECISIONS, help="default: fp32, of --target fp32 and bf16")
    sizes = " ".join(f"{height}x{width}" for height, width in SIZES)
    add("--sizes", type=image_size, metavar="HxW", help=f"default: {sizes}")
    add("--batches", type=positive, help="default: 1")
    parser.add_argument("--channels", type=positive, default=3, help="of images (default: 3)")
    parser.add_argument("--baseline", metavar="MODEL:MODE", help=f"default: {BASELINE}")
    parser.add_argument(
        "--onnx",
        type=Path,
        metavar="FILE",
        help="file of the one of our --models, as `mmfastervit export` writes its backbone, or of "
        "CONFIG, by --part model (default: one is written for the run)",
    )
    parser.add_argument("--rounds", type=positive, default=7, help="timed calls of each")
    parser.add_argument("--threads", type=positive, help="of the CPU (default: as torch finds)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--no-memory", action="store_true", help="do not measure peak memory")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="the same in timm's columns")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw throughput over size")
    parser.add_argument(
        "--target",
        action="store_true",
        help="measure the targets of --models[0] against --models[1] instead; exit status 1 when "
        "one is missed",
    )
    parser.add_argument("--shrink", type=positive, help="of --target: try it out, smaller")
    add_config_options(parser)


def prepare(args: Namespace) -> Callable[[], int]:
    """What is to be done, once the options have been checked."""
    check_writable("--json", args.json)
    check_writable("--csv", args.csv)
    check_writable("--plot", args.plot)
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.config is not None:
        return prepare_whole(args)
    return partial(run_backbones, settle(args))


def settle(args: Namespace) -> Namespace:
    """Check the options for backbones and fill in defaults; one that would be ignored is an error.

    Raises:
        ValueError: As said.
    """
    if args.cfg_options:
        raise ValueError("--cfg-options are for a CONFIG, which is not named")
    if args.target:
        settle_target(args)
    else:
        settle_comparison(args)
    if args.channels != 3 and set(args.models) & set(UPSTREAM):
        raise ValueError(
            f"--channels {args.channels}: upstream_* is measured with 3; name others by --models"
        )
    if set(args.models) & set(UPSTREAM) and not upstream_is_installed():
        raise ValueError(f"upstream_* needs the reference package: {INSTALL_UPSTREAM}")
    settle_file(args)
    return args


def settle_file(args: Namespace) -> None:
    """Check ``--onnx``, and whether files can be written where there is none."""
    runs_files = args.target or set(args.runtimes) & set(RUNTIMES)
    if args.int8:
        export.require_quantisable(Path("any.onnx"))
    if args.onnx is None:
        if runs_files:
            export.format_of(Path("any.onnx")).require()
        return
    if not runs_files:
        raise ValueError(f"--onnx {args.onnx} is for --runtimes {' '.join(RUNTIMES)} or --target")
    names = [name for name in args.models if name in OURS]
    if len(names) != 1:
        told = " ".join(names) or "none"
        raise ValueError(f"--onnx is the file of one model: --models names {told} of ours")
    if json.loads(read_metadata(args.onnx).get("precision", '"fp32"')) != "fp32":
        raise ValueError(
            f"--onnx {args.onnx} is a quantised file, which would be timed as what it is not: name "
            "the float file; --int8 quantises it for the run"
        )


def settle_target(args: Namespace) -> None:
    """Check what is said beside --target, which has cases of its own."""
    if given := given_of(args, NOT_OF_TARGET):
        raise ValueError(f"--target has its own cases, on the CPU: leave out {', '.join(given)}")
    if "fp16" in (args.precisions or ()):
        raise ValueError("--target has no fp16: --precisions takes fp32, bf16 or both")
    args.models = args.models or PAIR
    if len(args.models) != 2 or args.models[0] not in OURS:
        raise ValueError(
            f"--target takes two --models, one of ours ({', '.join(OURS)}) and the reference that "
            f"it is measured against, not {' '.join(args.models)}"
        )
    args.precisions = args.precisions or ["fp32", "bf16"]
    args.shrink = args.shrink or 1


def settle_comparison(args: Namespace) -> None:
    """Fill in what is measured without --target and check it."""
    if args.shrink:
        raise ValueError("--shrink is for --target; choose --sizes")
    args.models = args.models or [*(PAIR if args.channels == 3 else PAIR[:1]), *TIMM]
    args.modes = args.modes or MODES
    args.tasks = args.tasks or ["eval"]
    args.sizes = args.sizes or SIZES
    args.batches = args.batches or [1]
    args.runtimes = args.runtimes or [TORCH]
    for runtime in set(args.runtimes) & set(RUNTIMES):
        require_runtime(runtime)
        if args.device != "cpu":
            raise ValueError(f"--runtimes {runtime} is measured on --device cpu only")
    if args.device == "cpu" and "fp16" in (args.precisions or ()):
        raise ValueError("fp16 is measured on --device cuda only")
    if args.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: torch finds no GPU")
    cases = cases_of(args)
    names = list(dict.fromkeys(case.name for case in cases))
    if not names:
        raise ValueError(
            "nothing to measure: deploy and files are for our models, without +cp, in --tasks eval"
            + "".join(f"; {reason}" for reason in left_out(args).values())
        )
    if args.int8 and not any(case.is_int8 for case in cases):
        raise ValueError(
            "--int8 is for files of our models, without +cp, in --tasks eval, by --runtimes "
            f"{' or '.join(RUNTIMES)}: none of them is asked for"
        )
    if args.baseline and args.baseline not in names:
        raise ValueError(f"--baseline {args.baseline} is not measured; take {', '.join(names)}")
    args.baseline = args.baseline or BASELINE


def cases_of(args: Namespace) -> list[Case]:
    """Everything asked for; folding and files are for our models in inference only."""
    precisions = args.precisions or ["fp32"]
    conditions = starmap(
        Conditions, product(args.tasks, precisions, args.sizes, args.batches, [args.channels])
    )
    files = runtimes_of(args)
    modes = [*(args.modes if TORCH in args.runtimes else ()), *files]
    if args.int8:
        modes += [runtime + INT8 for runtime in files]
    refused = left_out(args)
    return [
        Case(model, mode, condition)
        for condition, model, mode in product(conditions, args.models, modes)
        if mode not in ("deploy", *files, *(runtime + INT8 for runtime in files))
        or (
            model in OURS
            and condition.task == "eval"
            and (mode.removesuffix(INT8), condition.precision) not in refused
        )
    ]


def runtimes_of(args: Namespace) -> list[str]:
    """The runtimes of files that were asked for."""
    return [name for name in RUNTIMES if name in args.runtimes]


def left_out(args: Namespace) -> dict[tuple[str, str], str]:
    """Runtimes and precisions that were asked for and can't be had here, with the reason."""
    refused = {}
    for runtime, precision in product(runtimes_of(args), args.precisions or ["fp32"]):
        try:
            require_runtime(runtime, precision)
        except ValueError as error:
            refused[runtime, precision] = str(error)
    return refused


def write_file(model: nn.Module, path: Path) -> None:
    """Write a backbone's ONNX file, for images of any size, once ONNX Runtime agrees with torch."""
    print(f"writing {path.name} ...", flush=True)
    export.export_part(model, path)


def quantiser_for(args: Namespace) -> Callable[[Path, Path, Sequence[np.ndarray]], int] | None:
    """What writes int8 files: where it was asked for, and for --target where it is installed."""
    if not args.int8 and not (args.target and find_spec("nncf")):
        return None

    def quantise(path: Path, out: Path, images: Sequence[np.ndarray]) -> int:
        print(f"quantising {path.name} ...", flush=True)
        return export.quantise(path, out, images)

    return quantise


def run(prepared: Callable[[], int]) -> int:
    """Measure; 1 where a target is missed."""
    return prepared()


def run_backbones(args: Namespace) -> int:
    """Measure backbones; 1 where a target is missed."""
    if args.device == "cuda":
        settle_tf32()
    about = dict(machine=machine(args.device), operations=COUNTED, built=BUILT, rounds=args.rounds)
    about |= dict(models=args.models, shrink=args.shrink, baseline=args.baseline)
    if not args.target:
        about["left_out"] = {" ".join(which): reason for which, reason in left_out(args).items()}
    about["onnx"] = None if args.onnx is None else str(args.onnx)
    tell = partial(print, flush=True)
    tell(json.dumps(about))

    def keep(found: Sequence[Any]) -> None:
        if args.json:
            kind = "targets" if args.target else "results"
            write_json(args.json, about | {kind: [asdict(one) for one in found]})
        if args.csv:
            write_csv(args.csv, found)

    with (
        told_as(CommandFailed, ArithmeticError, ValueError),
        TemporaryDirectory(prefix="mmfastervit-benchmark-") as folder,
    ):
        given = {} if args.onnx is None else {next(m for m in args.models if m in OURS): args.onnx}
        files = Files(Path(folder), write_file, given, quantiser_for(args))
        if args.target:
            return measure_targets(args, files, tell, keep)
        return measure(args, files, tell, keep)


def measure_targets(
    args: Namespace,
    files: Files,
    tell: Callable[[str], None],
    keep: Callable[[Sequence[Any]], None],
) -> int:
    """Compare with what was promised; 1 where a target is missed."""
    ours, theirs = args.models
    targets = check_targets(
        build, ours, theirs, args.rounds, args.shrink, args.precisions, files=files
    )
    return int(not all(target.is_reached for target in report(targets, tell, keep)))


def measure(
    args: Namespace,
    files: Files,
    tell: Callable[[str], None],
    keep: Callable[[Sequence[Any]], None],
) -> int:
    """Compare all that was asked for."""
    for (runtime, precision), reason in left_out(args).items():
        tell(f"left out: {runtime} in {precision}: {reason}")
    memory, make = not args.no_memory, partial(build, channels=args.channels)
    results = run_cases(
        cases_of(args), make, args.baseline, args.rounds, args.device, memory, tell, keep, files
    )
    if args.plot:
        plot(args.plot, results)
    return 0
