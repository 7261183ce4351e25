"""Write a model as an ONNX or a compiled file, checked by what runs it before it is there.

The end of the name says which: .pt2 is compiled for this kind of processor by AOTInductor, which
takes a compiler and minutes; anything else is ONNX.

--part model writes a whole detector or segmentor: pictures in, results out. Detections are boxes
(B, N, 4) in pixels of the pictures, scores (B, N), labels (B, N) and count (B,), how many of the N
there are; masks (B, N, h, w) are over the area of each box (mmfastervit.export.paste_masks). Class
maps are classes (B, H, W). With --uint8 pictures are uint8 (B, H, W, 3), red first, and prepared in
the file; without, they are prepared as below.

The other parts take images as the model's layers do: float32 (B, C, H, W), already normalised as
the config's data_preprocessor does (mean, std) and in the channel order it makes (bgr_to_rgb: RGB).

Examples:
    mmfastervit export CONFIG CHECKPOINT --out backbone.onnx
    mmfastervit export configs/det/NAME.py CHECKPOINT --part neck --out neck.onnx
    mmfastervit export CONFIG CHECKPOINT --part model --uint8 --check-on PICTURES --out model.onnx
    mmfastervit export CONFIG CHECKPOINT --out backbone.pt2
    mmfastervit export CONFIG CHECKPOINT --part model --int8 --calibrate PICTURES --out int8.onnx
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from torch import nn

from mmfastervit import export
from mmfastervit.datasets.shapes import drawn_pictures
from mmfastervit.engine.options import load_config
from mmfastervit.models import deploy
from mmfastervit.models.channels import channels_in

from .arguments import CommandFailed, add_config_options, check_writable, told_as
from .calibrating import add_int8_options, calibration_asked, check_int8, tell_what_int8_is

SIZE = (512, 512)
_PICTURES = 6  # to check on, so that batches differ
_OF_WHOLE = ("size", "one_size", "uint8", "logits", "check_on")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("config", help="config file of a detector or segmentor")
    parser.add_argument("checkpoint", nargs="?", help="file or URL (default: as init_cfg says)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.onnx|FILE.pt2")
    parser.add_argument(
        "--part",
        choices=export.PARTS,
        default="backbone",
        help="the backbone, backbone and neck of a detector, or the whole model"
        " (default: backbone)",
    )
    parser.add_argument(
        "--size",
        nargs=2,
        type=int,
        metavar=("H", "W"),
        help="size of the pictures that --part model is checked on, and made for where it can't be "
        f"for any; of an --int8 file in any case (default: {SIZE[0]} {SIZE[1]})",
    )
    parser.add_argument(
        "--one-size",
        action="store_true",
        help="make --part model for pictures of --size alone, which takes a fraction of the time "
        "(with --int8 in any case)",
    )
    parser.add_argument(
        "--uint8",
        action="store_true",
        help="--part model takes pictures as a decoder gives them: uint8 (B, H, W, 3), red first",
    )
    parser.add_argument(
        "--logits", action="store_true", help="--part model of a segmentor gives logits, not maps"
    )
    parser.add_argument(
        "--check-on",
        metavar="FOLDER",
        help="pictures to check --part model on (default: drawn shapes)",
    )
    add_int8_options(parser)
    add_config_options(parser)


def prepare(arguments: Namespace) -> Callable[[], int]:
    """What is to be done, once all that a user can get wrong was looked at."""
    height, width = arguments.size or SIZE
    size, is_whole = (height, width), arguments.part == "model"
    for option in _OF_WHOLE if not is_whole else ():
        if getattr(arguments, option) and not (option == "size" and arguments.int8):
            raise ValueError(
                f"--{option.replace('_', '-')} is for --part model: --part {arguments.part} takes "
                + ("normalised images" if arguments.int8 else "normalised images of any size")
            )
    if min(size) < 1:
        raise ValueError(f"--size takes a height and a width of at least 1, not {list(size)}")
    check_writable("--out", arguments.out)
    check_int8(arguments)
    export.format_of(arguments.out).require()
    cfg = load_config(arguments.config, arguments.cfg_options)
    if not is_whole:
        module = export.build_part(cfg, arguments.part, arguments.checkpoint)
        calibration = calibration_asked(arguments, cfg, channels_in(module))
        prepared = None
        if calibration is not None:
            prepared = calibration, export.preparation_of(cfg), size
        return partial(_write_part, deploy(module), arguments.out, prepared)
    whole = export.build_whole(cfg, arguments.checkpoint, arguments.uint8, arguments.logits)
    pictures = _pictures(arguments.check_on, whole, max(size))
    any_size = not arguments.one_size
    calibration = calibration_asked(arguments, cfg, whole.channels)
    return partial(_write_whole, whole, arguments.out, size, pictures, any_size, calibration)


def run(write: Callable[[], int]) -> int:
    """Write the file, telling what was compared.

    Raises:
        CommandFailed: What runs the file computes something else than torch.
    """
    with told_as(CommandFailed, ArithmeticError):
        return write()


def _write_part(
    module: nn.Module,
    out: Path,
    calibration: tuple[export.Calibration, export.Preparation, tuple[int, int]] | None,
) -> int:
    report = partial(tell, export.format_of(out).runtime)
    with told_as(CommandFailed, ValueError):  # a picture can't be read, or nothing be quantised
        largest = export.export_part(module, out, export.TRACED, export.UNSEEN, report, calibration)
    limit, told = export.TOLERANCE, "" if calibration is None else " before it was quantised"
    print(f"{out}: largest difference {largest:.1e} of the largest value, below {limit}{told}")
    if calibration is not None:
        height, width = calibration[2]
        print(f"{out}: takes a batch of 1, {height}x{width} pixels")
        tell_what_int8_is(out, is_whole=False)
    return 0


def _write_whole(
    whole: export.WholeModel,
    out: Path,
    size: tuple[int, int],
    pictures: list[np.ndarray],
    any_size: bool,
    calibration: export.Calibration | None,
) -> int:
    with told_as(CommandFailed, ValueError):  # it can't be traced
        written = export.export_whole(
            whole, out, size, pictures, tell_checked, any_size, calibration
        )
    print(f"{out}: takes {written.sizes}")
    if calibration is not None:
        tell_what_int8_is(out, is_whole=True)
    if written.reason:
        print(f"not more, as {written.reason}", file=sys.stderr)
    return 0


def tell(runtime: str, difference: export.Difference) -> None:
    """Print one difference."""
    shape = "x".join(map(str, difference.shape))
    print(f"images of {shape}: {runtime} differs by {difference.largest:.1e}", flush=True)


def tell_checked(checked: export.Checked) -> None:
    """Print what came out of one batch."""
    shape = "x".join(map(str, checked.shape))
    text = f"pictures of {shape}: {checked.compared} {checked.kind} found again, {checked.worst}"
    if checked.shaky:
        text += f"; {checked.shaky} hang on rounding in the model itself and are left out"
    print(text, flush=True)


def _pictures(folder: str | None, whole: export.WholeModel, side: int) -> list[np.ndarray]:
    """Pictures to check on, (H, W, channels), red first: a folder's, or drawn ones."""
    found = drawn_pictures(whole.channels, side) if folder is None else _read(folder, whole)
    return list(islice(found, _PICTURES))


def _read(folder: str, whole: export.WholeModel) -> Iterator[np.ndarray]:
    from mmfastervit.inference.inputs import find_inputs, items
    from mmfastervit.inference.pictures import read_picture

    for item in items(find_inputs([folder], sys.stdin.buffer).entries):
        if item.fault:
            raise ValueError(f"--check-on {folder}: {item.told}: {item.fault}")
        picture = read_picture(item.picture, whole.channels)
        if whole.preparation.takes_uint8 and picture.dtype != np.uint8:
            raise ValueError(
                f"--check-on {folder}: {item.told} holds {picture.dtype}: --uint8 is for pictures "
                "of 8 bits; without it the file takes images that were normalised"
            )
        yield picture[..., ::-1] if whole.channels == 3 else picture
