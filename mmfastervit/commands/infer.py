"""Predict on pictures and videos, and draw what is found.

INPUT is any number of: a picture; a folder, whose pictures are taken at any depth; a pattern with
*, ? or **; a video; a list of files and folders, @FILE or FILE.txt; camera:0, until Ctrl-C; or -
for what is piped in, a picture or a list. DIR gets pictures/ (drawn, with a legend; videos as
.mp4), and of a detector predictions.json in COCO's format, of a segmentor labels/*.png. What can't
be read, or is in a list and not there, is named at the end, and the exit status is then 1.

Left out, and told in a line at the end, are: files of a folder that are no pictures; its videos,
which are read where they are named themselves; DIR's own results, where a folder holds DIR; and,
beside other INPUTs, a FILE.txt in which no line names a file that is there, as the labels that
photos/* may bring along. Hidden files and folders are left out as well.

With --model an exported file is run in the place of the checkpoint, by ONNX Runtime or OpenVINO;
--config then prepares the pictures, and must be the one that the file was exported with.

Examples:
    mmfastervit infer photos --config cells.py --checkpoint epoch_24.pth --out found
    mmfastervit infer photos/*.jpg clip.mp4 --checkpoint cells-1a2b3c4d.pth --out found
    mmfastervit infer map.tif --checkpoint cells-1a2b3c4d.pth --out found --tile 640x640
    ls photos/*.png | mmfastervit infer - --checkpoint cells-1a2b3c4d.pth --out found
    mmfastervit infer photos --config cells.py --model cells.onnx --runtime openvino --out found
"""

import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from mmfastervit.inference.entries import Entry
from mmfastervit.inference.inputs import Found, count, find_inputs, items
from mmfastervit.inference.opening import (
    OpenedModel,
    default_device,
    find_device,
    open_file,
    open_model,
)
from mmfastervit.inference.outputs import Outputs, places
from mmfastervit.inference.predicting import SCORE, Predictor
from mmfastervit.inference.running import Tally
from mmfastervit.inference.running import run as predict
from mmfastervit.inference.tiles import Tiles
from mmfastervit.inspection.findings import counted

from .arguments import CommandFailed, WrongRequest, add_config_options, told_as
from .model_config import config_asked
from .runtime_options import Running, add_runtime_options, running_asked


@dataclass(frozen=True)
class _Request:
    """What to predict on, by what, and where to."""

    cfg: Config | None
    inputs: Found
    tiles: Tiles | None
    running: Running
    arguments: Namespace


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="as above")
    parser.add_argument(
        "--config", help="of the checkpoint; one of `mmfastervit publish` needs none"
    )
    parser.add_argument(
        "--checkpoint", metavar="FILE", help="file or URL; needed where there is no --model"
    )
    add_runtime_options(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder")
    parser.add_argument(
        "--force", action="store_true", help="write into DIR though it holds files, over like names"
    )
    parser.add_argument(
        "--score-thr",
        type=float,
        metavar="SCORE",
        help=f"leave out objects of lower scores; of detectors (default: {SCORE})",
    )
    parser.add_argument(
        "--device",
        help="cpu, cuda, cuda:1, ... of torch (default: a GPU if there is one; here "
        f"{default_device()})",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=1,
        metavar="N",
        help="pictures at once; a segmentor takes those of one size together (default: 1)",
    )
    parser.add_argument(
        "--deploy",
        action="store_true",
        help="fold normalisation and scales of the backbone into its other weights",
    )
    parser.add_argument(
        "--classes",
        nargs="+",
        metavar="NAME",
        help="tell these alone; other pixels of label maps are 255",
    )
    parser.add_argument(
        "--tile",
        type=_sides,
        metavar="WIDTHxHEIGHT",
        help="cut pictures into tiles, for small objects in large pictures, as 640x640",
    )
    parser.add_argument(
        "--overlap",
        type=float,
        metavar="SHARE",
        help=f"of neighbouring tiles, with --tile (default: {Tiles.overlap})",
    )
    parser.add_argument(
        "--no-pictures", action="store_true", help="write predictions alone, draw nothing"
    )
    add_config_options(parser)


def _sides(text: str) -> tuple[int, int]:
    sides = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text)
    if sides is None:
        raise ArgumentTypeError(f"expected WIDTHxHEIGHT in pixels, as 640x640, not {text!r}")
    return int(sides[1]), int(sides[2])


def prepare(arguments: Namespace) -> _Request:
    """Find the inputs, read the config and check the options."""
    out = arguments.out
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file; name a folder")
    if out.is_dir() and any(out.iterdir()) and not arguments.force:
        raise ValueError(
            f"--out {out} holds files already: name another folder, or give --force, which writes "
            "over those of like names and leaves the others"
        )
    tiles = _tiles_asked(arguments)
    running = running_asked(arguments, "device", "deploy")
    if arguments.device:
        find_device(arguments.device)
    cfg = config_asked(arguments)
    inputs = find_inputs(arguments.inputs, sys.stdin.buffer, places(out))
    return _Request(cfg, inputs, tiles, running, arguments)


def _tiles_asked(arguments: Namespace) -> Tiles | None:
    if arguments.tile is None:
        if arguments.overlap is not None:
            raise ValueError("--overlap is for --tile WIDTHxHEIGHT, the size of tiles: add it")
        return None
    width, height = arguments.tile
    return Tiles(width, height, Tiles.overlap if arguments.overlap is None else arguments.overlap)


def run(request: _Request) -> int:
    """Predict, and tell what was done.

    Raises:
        WrongRequest: The model can't be built, or the checkpoint is not its.
        CommandFailed: Some pictures could not be read, or what was predicted not written.
    """
    arguments = request.arguments
    with told_as(WrongRequest, ValueError, FileNotFoundError):
        opened = _open(request)
        score = _least_score(arguments.score_thr, opened.task)
        predictor = Predictor(opened, score, arguments.batch_size, arguments.classes, request.tiles)
        _ = predictor.pipeline  # what of it can't be built is told now
    outputs = Outputs(
        arguments.out, opened.classes, opened.palette, opened.task, not arguments.no_pictures
    )
    entries = request.inputs.entries
    with told_as(CommandFailed, OSError), outputs, _progress(entries) as advance:
        tally = predict(predictor, items(entries), outputs.write, advance)
    return _tell(tally, request)


def _open(request: _Request) -> OpenedModel:
    """Open the checkpoint, or the file in its place."""
    running, arguments = request.running, request.arguments
    if running.file is not None:
        return open_file(
            request.cfg, running.file, running.runtime, running.precision, arguments.checkpoint
        )
    device = arguments.device or default_device()
    return open_model(
        request.cfg, arguments.checkpoint, device, arguments.deploy, running.precision
    )


def _least_score(asked: float | None, task: str) -> float:
    """Below which objects are left out."""
    if asked is None:
        return SCORE
    if task == "seg":
        raise ValueError(
            "--score-thr is for detectors: this model is a segmentor, which gives each pixel the "
            "class of its highest score; leave the option out"
        )
    return asked


def _tell(tally: Tally, request: _Request) -> int:
    """Say what was done and what was not."""
    rate = tally.done / tally.seconds if tally.seconds else 0.0
    objects = "" if tally.objects is None else f", {counted(tally.objects, 'object')}"
    print(
        f"{request.arguments.out}: {counted(tally.done, 'picture')}{objects} in "
        f"{tally.seconds:.1f} s, {rate:.2f} pictures per second"
    )
    if request.inputs.left_out:
        print(f"left out: {request.inputs.left_out}", file=sys.stderr)
    if tally.failed:
        listed = "\n".join(f"  {name}: {why}" for name, why in tally.failed)
        raise CommandFailed(f"{len(tally.failed)} could not be predicted on:\n{listed}")
    if tally.interrupted and not any(entry.is_endless for entry in request.inputs.entries):
        raise KeyboardInterrupt
    return 0


class _Rate(ProgressColumn):
    """Pictures per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.2f} pictures/s")


@contextmanager
def _progress(entries: list[Entry]) -> Iterator[Callable[[], None]]:
    """Show how far the run has come, where somebody watches."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    columns = (BarColumn(), TextColumn("{task.completed} of {task.fields[whole]}"), _Rate())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        total = count(entries)
        task = bar.add_task("", total=total, whole="?" if total is None else total)
        yield lambda: bar.advance(task)
