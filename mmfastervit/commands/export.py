"""Write a model as an ONNX file, checked by ONNX Runtime before it is there.

The file takes images as the model's layers do: float32 (B, C, H, W), already normalised as the
config's data_preprocessor does (mean, std) and in the channel order it makes (bgr_to_rgb: RGB);
the data_preprocessor itself is left out.

Examples:
    mmfastervit export CONFIG CHECKPOINT --out backbone.onnx
    mmfastervit export configs/det/NAME.py CHECKPOINT --part neck --out neck.onnx
    mmfastervit export configs/seg/NAME.py CHECKPOINT --part model --out upernet.onnx
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from torch import nn

from mmfastervit import export
from mmfastervit.engine.options import load_config
from mmfastervit.models import deploy

from .arguments import CommandFailed, add_config_options, check_writable, told_as

SIZE = (512, 512)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("config", help="config file of a detector or segmentor")
    parser.add_argument("checkpoint", nargs="?", help="file or URL (default: as init_cfg says)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    parser.add_argument(
        "--part",
        choices=export.PARTS,
        default="backbone",
        help="the backbone, backbone and neck of a detector (both for any batch, height and width),"
        " or a whole segmentor at one size (default: backbone)",
    )
    parser.add_argument(
        "--size",
        nargs=2,
        type=int,
        metavar=("H", "W"),
        help=f"image size of --part model (default: {SIZE[0]} {SIZE[1]})",
    )
    add_config_options(parser)


def prepare(arguments: Namespace) -> tuple[nn.Module, Path, tuple[int, int] | None]:
    """What is exported, deployed; where to; and for images of which size, None for any."""
    size, is_whole = arguments.size, arguments.part == "model"
    if size and not is_whole:
        raise ValueError(
            f"--size is for --part model: --part {arguments.part} takes images of any size"
        )
    if size and min(size) < 1:
        raise ValueError(f"--size takes a height and a width of at least 1, not {size}")
    check_writable("--out", arguments.out)
    export.require_packages()
    cfg = load_config(arguments.config, arguments.cfg_options)
    module = deploy(export.build_part(cfg, arguments.part, arguments.checkpoint))
    return module, arguments.out, tuple(size or SIZE) if is_whole else None


def run(prepared: tuple[nn.Module, Path, tuple[int, int] | None]) -> int:
    """Write the file, telling each difference that was found.

    Raises:
        CommandFailed: ONNX Runtime computes something else than torch.
    """
    module, out, size = prepared
    traced, unseen = export.TRACED, export.UNSEEN
    if size is not None:
        traced, unseen = (1, *size), ()
    with told_as(CommandFailed, ArithmeticError):
        largest = export.export_onnx(module, out, traced, unseen, report=tell)
    limit = export.TOLERANCE
    print(f"{out}: largest difference {largest:.1e} of the largest value, below {limit}")
    return 0


def tell(difference: export.Difference) -> None:
    """Print one difference."""
    shape = "x".join(map(str, difference.shape))
    print(f"images of {shape}: ONNX Runtime differs by {difference.largest:.1e}", flush=True)
