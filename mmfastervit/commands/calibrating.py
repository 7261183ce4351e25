"""The options by which ``export`` quantises a file to int8, and the pictures that they name."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from mmengine.config import Config

from mmfastervit import export
from mmfastervit.explaining import cause_of
from mmfastervit.inference.entries import Entry
from mmfastervit.inference.inputs import find_inputs
from mmfastervit.inference.pictures import Unreadable, read_picture
from mmfastervit.inference.pipelines import Pipeline, build_pipeline

PICTURES = 100
_SHARE, _MOST_COMPARED = 5, 20  # one in five is held back to compare on, twenty at most


def add_int8_options(parser: ArgumentParser) -> None:
    """Add ``--int8``, ``--calibrate`` and ``--calibrate-pictures``."""
    parser.add_argument(
        "--int8",
        action="store_true",
        help="quantise convolutions and linear layers of the checked ONNX file to int8, which is "
        "not exact, with ranges measured on the pictures of --calibrate, and tell how far it is "
        "from the float file. It takes one picture at a time, of --size",
    )
    parser.add_argument(
        "--calibrate",
        metavar="FOLDER",
        help="pictures for --int8, of the kind that the model is for; a fifth of them is held back "
        "to compare on. They are prepared as the config's test pipeline does",
    )
    parser.add_argument(
        "--calibrate-pictures",
        type=int,
        metavar="N",
        help=f"measure on at most N of them, spread over the folder (default: {PICTURES})",
    )


class Pictures(Sequence[np.ndarray]):
    """Pictures of files, read and prepared when they are asked for: (H, W, C), red first.

    Args:
        entries: Their files.
        pipeline: What the config prepares them by, before they are normalised.
        channels: That the model takes.
        takes_uint8: Whether they go into the file as uint8.
    """

    def __init__(
        self, entries: Sequence[Entry], pipeline: Pipeline, channels: int, takes_uint8: bool
    ):
        self.entries, self.pipeline = entries, pipeline
        self.channels, self.takes_uint8 = channels, takes_uint8

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, place: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, place: slice) -> "Pictures": ...

    def __getitem__(self, place: Any) -> Any:
        """A picture, or some of them.

        Raises:
            ValueError: It can't be read or prepared.
        """
        if isinstance(place, slice):
            return Pictures(self.entries[place], self.pipeline, self.channels, self.takes_uint8)
        source = self.entries[place].source
        try:
            image = read_picture(source, self.channels)
        except Unreadable as error:
            raise ValueError(f"--calibrate: {source}: {error}") from error
        try:
            prepared = self.pipeline(image)["inputs"].numpy().transpose(1, 2, 0)
        except Exception as error:  # transforms raise anything
            raise ValueError(
                f"--calibrate: {source} can't be prepared by the config's test pipeline: "
                f"{cause_of(error)}"
            ) from error
        if self.takes_uint8 and prepared.dtype != np.uint8:
            prepared = prepared.round().clip(0, 255).astype(np.uint8)
        elif prepared.dtype != np.uint8:
            prepared = prepared.astype(np.float32)  # whole numbers of other sizes are not scaled
        return prepared[..., ::-1] if self.channels == 3 else prepared


def check_int8(arguments: Namespace) -> None:
    """Raise ValueError where the options of int8 do not go together or with the file's kind."""
    if not arguments.int8:
        for option in ("calibrate", "calibrate_pictures"):
            if getattr(arguments, option) is not None:
                raise ValueError(f"--{option.replace('_', '-')} is for --int8: add it")
        return
    if arguments.calibrate is None:
        raise ValueError(
            "--int8 measures the ranges of values on your pictures: name a folder with some of the "
            "kind that the model is for by --calibrate FOLDER"
        )
    if not Path(arguments.calibrate).is_dir():
        raise ValueError(f"--calibrate {arguments.calibrate}: there is no such folder")
    if arguments.calibrate_pictures is not None and arguments.calibrate_pictures < 1:
        raise ValueError(
            f"--calibrate-pictures takes a number from 1 on, not {arguments.calibrate_pictures}"
        )
    export.require_quantisable(arguments.out)


def calibration_asked(
    arguments: Namespace, cfg: Config, channels: int
) -> export.Calibration | None:
    """The pictures that ``--calibrate`` names; None without ``--int8``.

    Raises:
        ValueError: There are fewer than two, or the config does not say how they are prepared.
    """
    if not arguments.int8:
        return None
    folder = arguments.calibrate
    try:
        found = find_inputs([folder], sys.stdin.buffer).entries
    except FileNotFoundError as error:
        raise ValueError(f"--calibrate {folder}: {error}") from error
    entries = [entry for entry in found if not entry.is_video]
    if len(entries) < 2:
        raise ValueError(
            f"--calibrate {folder} holds {len(entries)} pictures: two at least are needed, one to "
            f"measure on and one to compare on, and {export.FEW} or more should be there"
        )
    held = min(_MOST_COMPARED, max(1, len(entries) // _SHARE))
    compared = _spread(entries, held)
    rest = [entry for entry in entries if entry not in compared]
    measured = _spread(rest, arguments.calibrate_pictures or PICTURES)
    if len(measured) < export.FEW:
        print(
            f"warning: int8 is calibrated on {len(measured)} pictures: with fewer than "
            f"{export.FEW} rare values are missed",
            file=sys.stderr,
        )
    is_seg = cfg.get("default_scope") == "mmseg" or "decode_head" in cfg.model
    pipeline = build_pipeline(cfg, "seg" if is_seg else "det")
    return export.Calibration(
        Pictures(measured, pipeline, channels, arguments.uint8),
        Pictures(compared, pipeline, channels, arguments.uint8),
        report=tell_likeness,
    )


def _spread(entries: Sequence[Entry], most: int) -> list[Entry]:
    """At most so many of them, from all over the list."""
    places = np.linspace(0, len(entries) - 1, min(most, len(entries))).round().astype(int)
    return [entries[place] for place in places]


def tell_likeness(likeness: export.Likeness) -> None:
    """Print how far the int8 file is from the float one."""
    for line in likeness.told():
        print(line, flush=True)


def tell_what_int8_is(out: Path, is_whole: bool) -> None:
    """Print what the numbers above are worth."""
    print(
        f"{out} is in int8, and not exact: the lines above tell how near it is to the float file "
        "on a few pictures, and not what is lost"
    )
    if is_whole:
        print(
            f"measure AP or mIoU by `mmfastervit test CONFIG --model {out}`, beside that of the "
            "checkpoint"
        )
    else:
        print("measure AP or mIoU with what you build on it; --part model can be tested as it is")
