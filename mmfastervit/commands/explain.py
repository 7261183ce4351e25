"""Draw on one sheet what a point of a picture listens to through hierarchical attention (HAT).

The sheet shows the windows and carriers on the picture, which windows the carriers of that point
listen to in each block, what the point itself listens to, and how far it sees with carriers and
without. It takes models with FasterViT, and hosts that HAT was put into. Without a checkpoint the
weights are random, and the sheet says so.

Examples:
    mmfastervit explain cell.jpg --config cells.py --checkpoint epoch_24.pth --point 320 200
    mmfastervit explain cell.jpg --checkpoint cells-1a2b3c4d.pth --point 320 200 --cam
    mmfastervit explain cell.jpg --config cells.py --point 9 9 --stage 2 --theme dark --out hat.svg
"""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mmfastervit.files import written_whole
from mmfastervit.hat_sheet import draw_sheet, measure
from mmfastervit.hat_sheet.cam import load_library
from mmfastervit.hat_sheet.field import COPIES
from mmfastervit.hat_sheet.measuring import check_point
from mmfastervit.hat_sheet.page import THEMES
from mmfastervit.inference.opening import default_device, find_device, open_model
from mmfastervit.inference.pictures import ARRAYS, read_picture

from .arguments import WrongRequest, add_config_options, check_writable, told_as
from .model_config import config_asked

SUFFIXES = (".png", ".svg", ".pdf")
DPI = 160  # 1600 pixels of width


@dataclass(frozen=True)
class _Request:
    """What to explain, and where to."""

    cfg: Config | None
    picture: Path
    out: Path
    arguments: Namespace


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="file of a picture")
    parser.add_argument(
        "--config", help="of the checkpoint; one of `mmfastervit publish` needs none"
    )
    parser.add_argument(
        "--checkpoint", metavar="FILE", help="file or URL; without it, weights are random"
    )
    parser.add_argument(
        "--point",
        nargs=2,
        type=float,
        required=True,
        metavar=("X", "Y"),
        help="in pixels of the picture, from its upper left corner",
    )
    parser.add_argument(
        "--stage",
        metavar="NAME",
        help="stage with HAT, or the end of its name, as 2 (default: the first)",
    )
    parser.add_argument(
        "--cam",
        action="store_true",
        help="add Grad-CAM of the class or detection at the point (needs the library grad-cam)",
    )
    parser.add_argument(
        "--copies",
        type=int,
        default=COPIES,
        metavar="N",
        help=f"noisy copies that receptive fields are averages of (default: {COPIES})",
    )
    parser.add_argument("--theme", choices=tuple(THEMES), default="light")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="ending in .png, .svg or .pdf (default: ./PICTURE-hat.png)",
    )
    parser.add_argument(
        "--device",
        default=default_device(),
        help="cpu, cuda, cuda:1, ... (default: a GPU if there is one; here %(default)s)",
    )
    add_config_options(parser)


def prepare(arguments: Namespace) -> _Request:
    """Look at the picture, read the config and check the options."""
    out = arguments.out or Path(f"{arguments.picture.stem}-hat.png")
    if out.suffix.lower() not in SUFFIXES:
        raise ValueError(f"--out {out} must end in {', '.join(SUFFIXES)}")
    check_writable("--out", out)
    if arguments.copies < 1:
        raise ValueError(f"--copies must be at least 1, not {arguments.copies}")
    if not arguments.picture.is_file():
        raise FileNotFoundError(f"there is no picture {arguments.picture}")
    if arguments.picture.suffix != ARRAYS:  # before a model is opened, which takes its time
        height, width = read_picture(arguments.picture).shape[:2]
        check_point(tuple(arguments.point), width, height)
    find_device(arguments.device)
    if arguments.cam:
        load_library()
    cfg = config_asked(arguments)
    if cfg is None and arguments.checkpoint is None:
        raise ValueError("name the model by --config, or by --checkpoint of `mmfastervit publish`")
    return _Request(cfg, arguments.picture, out, arguments)


def run(request: _Request) -> int:
    """Measure, and write the sheet.

    Raises:
        WrongRequest: The model can't be built or has no HAT, the checkpoint is not its, the picture
            can't be read, or the point is not on it.
    """
    arguments = request.arguments
    with told_as(WrongRequest, ValueError, FileNotFoundError):
        opened = open_model(request.cfg, arguments.checkpoint, arguments.device)
        measured = measure(
            opened,
            request.picture,
            tuple(arguments.point),
            is_trained=arguments.checkpoint is not None,
            stage=arguments.stage,
            copies=arguments.copies,
            with_cam=arguments.cam,
        )
    figure = draw_sheet(measured, arguments.theme)
    with written_whole(request.out) as part:
        figure.savefig(part, dpi=DPI, facecolor=figure.get_facecolor())
    print(f"{request.out}: {measured.summary()}")
    return 0
