"""``mmfastervit benchmark CONFIG``: a whole model in torch and as a file, part by part."""

import copy
import json
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import islice, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from mmengine.config import Config

from mmfastervit import export
from mmfastervit.bench.machine import machine
from mmfastervit.bench.parts import (
    PARTS,
    Stopwatch,
    WholeConditions,
    WholeResult,
    run_whole,
    watch_file,
    watch_model,
    whole_line,
    whole_row,
)
from mmfastervit.bench.results import COLUMNS, write_json, write_rows
from mmfastervit.config.building import build_model
from mmfastervit.datasets.shapes import drawn_pictures
from mmfastervit.engine.options import load_config
from mmfastervit.runtimes import (
    PRECISIONS,
    RUNTIMES,
    TORCH,
    Stated,
    put_in_place,
    require_runtime,
)
from mmfastervit.runtimes.bfloat16 import compute_in_bfloat16

from .arguments import CommandFailed, told_as

SIZES = [(512, 512), (800, 1280)]
WHOLE_COLUMNS = (*COLUMNS, *(f"{part}_ms" for part in PARTS))
PARTS_TOLD = (
    "in torch postprocessing is decoding, NMS (of proposals too) and masks, and the network all "
    "else; a file has decoding and NMS inside, which count to its network"
)
NOT_OF_WHOLE = (
    "models", "modes", "tasks", "baseline", "plot", "no_memory", "target", "shrink", "int8"
)  # fmt: skip
_PICTURES = 6  # to check a file on


def given_of(args: Namespace, names: Sequence[str]) -> list[str]:
    """The options of these names that are given, and of device and channels, where others are."""
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(args, name)]
    if args.device != "cpu":
        given.append(f"--device {args.device}")
    if args.channels != 3:
        given.append(f"--channels {args.channels}")
    return given


def prepare_whole(args: Namespace) -> Callable[[], int]:
    """Check the options and build the model.

    Raises:
        ValueError: An option would be ignored, nothing of it can run here, or the model can't be
            built or exported.
        FileNotFoundError: There is no such config, checkpoint or file.
    """
    if given := given_of(args, NOT_OF_WHOLE):
        raise ValueError(
            f"a CONFIG's whole model is timed in inference, on the CPU: leave out "
            f"{', '.join(given)}"
        )
    args.runtimes, args.precisions = args.runtimes or [TORCH], args.precisions or ["fp32"]
    args.sizes, args.batches = args.sizes or SIZES, args.batches or [1]
    if unknown := set(args.precisions) - set(PRECISIONS):
        raise ValueError(f"--precisions of a CONFIG are {', '.join(PRECISIONS)}, not {unknown}")
    files = [name for name in args.runtimes if name in RUNTIMES]
    for runtime in files:
        require_runtime(runtime)
    if args.onnx is not None and not files:
        raise ValueError(f"--onnx {args.onnx} is for --runtimes {' '.join(RUNTIMES)}")
    chosen, refused = _chosen(args)
    if not chosen:
        raise ValueError(f"nothing to measure: {'; '.join(refused.values())}")
    if files and args.onnx is None:
        export.format_of(Path("any.onnx")).require()
    cfg = load_config(args.config, args.cfg_options)
    whole = export.build_whole(cfg, args.checkpoint)
    if args.onnx is not None:
        put_in_place(copy.deepcopy(cfg), args.onnx, files[0])
    return partial(run_parts, args, cfg, whole)


def _chosen(args: Namespace) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Precisions with runtimes that can be had, and why the others can't."""
    chosen, refused = [], {}
    for precision, runtime in product(args.precisions, dict.fromkeys(args.runtimes)):
        try:
            if runtime != TORCH:
                require_runtime(runtime, precision)
            chosen.append((precision, runtime))
        except ValueError as error:
            refused[f"{runtime} {precision}"] = str(error)
    return chosen, refused


def run_parts(args: Namespace, cfg: Config, whole: export.WholeModel) -> int:
    """Measure, tell and write."""
    chosen, refused = _chosen(args)
    about = dict(
        machine=machine("cpu"),
        config=args.config,
        checkpoint=args.checkpoint,
        onnx=None if args.onnx is None else str(args.onnx),
        onnx_precision=None if args.onnx is None else Stated.read(args.onnx).precision,
        rounds=args.rounds,
        parts=PARTS_TOLD,
        left_out=refused,
    )
    print(json.dumps(about), flush=True)
    for which, reason in refused.items():
        print(f"left out: {which}: {reason}")
    if args.checkpoint is None:
        print(
            "without a checkpoint weights are as init_cfg says; what postprocessing takes hangs on "
            "how much is found"
        )
    results: list[WholeResult] = []
    with (
        told_as(CommandFailed, ArithmeticError, ValueError),
        TemporaryDirectory(prefix="mmfastervit-benchmark-") as folder,
    ):
        for found in _measured(args, cfg, whole, chosen, Path(folder)):
            print(f"\n{found[0].conditions}", *map(whole_line, found), sep="\n", flush=True)
            results += found
            if args.json:
                write_json(args.json, about | dict(results=[asdict(one) for one in results]))
            if args.csv:
                write_rows(args.csv, WHOLE_COLUMNS, map(whole_row, results))
    return 0


def _measured(
    args: Namespace,
    cfg: Config,
    whole: export.WholeModel,
    chosen: Sequence[tuple[str, str]],
    folder: Path,
) -> Iterator[list[WholeResult]]:
    """Results of one size, precision and batch after the other; all runtimes run in turns."""
    for size in args.sizes:
        drawn = drawn_pictures(whole.channels, max(size))
        pictures = list(islice(drawn, max(_PICTURES, *args.batches)))
        file = args.onnx
        if file is None and any(runtime != TORCH for _, runtime in chosen):
            file = _written(whole, folder / f"{size[0]}x{size[1]}.onnx", size, pictures)
        fitted = [export.fitted(picture, size) for picture in pictures]
        for precision in dict.fromkeys(precision for precision, _ in chosen):
            stopwatches = {
                runtime: _watched(cfg, whole, runtime, precision, file)
                for of, runtime in chosen
                if of == precision
            }
            for batch in args.batches:
                conditions = WholeConditions(precision, size, batch)
                make = partial(export.batch_of, whole.model, fitted[:batch])
                name = Path(args.config).stem
                yield run_whole(name, stopwatches, conditions, make, args.rounds, TORCH)


def _written(
    whole: export.WholeModel, path: Path, size: tuple[int, int], pictures: list[np.ndarray]
) -> Path:
    """A file for pictures of one size, checked by ONNX Runtime."""
    print(f"writing the ONNX file for {size[0]}x{size[1]} ...", flush=True)
    try:
        export.export_whole(whole, path, size, pictures, any_size=False)
    except ArithmeticError as error:
        raise ArithmeticError(
            f"{error}. Another way: write a file by `mmfastervit export CONFIG CHECKPOINT --part "
            "model --check-on PICTURES` and name it by --onnx"
        ) from error
    return path


def _watched(
    cfg: Config, whole: export.WholeModel, runtime: str, precision: str, file: Path | None
) -> Stopwatch:
    """A model in torch, deployed, or by a runtime, with its parts watched."""
    if runtime == TORCH:
        model: Any = copy.deepcopy(whole.model)
        if precision == "bf16":
            compute_in_bfloat16(model)
        return watch_model(model)
    assert file is not None  # it was written where none was given
    of_file = copy.deepcopy(cfg)
    put_in_place(of_file, file, runtime, precision)
    built: Any = build_model(of_file)
    return watch_file(built.eval())
