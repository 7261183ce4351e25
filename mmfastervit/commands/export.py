"""Write a model as an ONNX file, checked by ONNX Runtime before it is there.

The file takes images as the model's layers do: float32 (B, 3, H, W), already normalised as the
config's data_preprocessor does (mean, std) and in the channel order it makes (bgr_to_rgb: RGB);
the data_preprocessor itself is left out.

Examples:
    python tools/export_onnx.py CONFIG CHECKPOINT --out backbone.onnx
    python tools/export_onnx.py configs/det/NAME.py CHECKPOINT --part neck --out neck.onnx
    python tools/export_onnx.py configs/seg/NAME.py CHECKPOINT --part model --out upernet.onnx
"""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path

from torch import nn

from mmfastervit.engine.options import load_config
from mmfastervit.export import (
    PARTS,
    TOLERANCE,
    Difference,
    build_part,
    export_onnx,
    require_packages,
)
from mmfastervit.models import deploy

from .arguments import ConfigOptions, exit_on_user_error

SIZE = (512, 512)


def build_parser() -> ArgumentParser:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("config", help="config file of a detector or segmentor")
    parser.add_argument("checkpoint", nargs="?", help="file or URL (default: as init_cfg says)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    parser.add_argument(
        "--part",
        choices=PARTS,
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
    parser.add_argument(
        "--cfg-options", nargs="+", action=ConfigOptions, metavar="KEY=VALUE", help="change values"
    )
    return parser


def check(args: Namespace) -> None:
    """Raise ValueError for arguments that can't be followed, before anything is built."""
    if args.size and args.part != "model":
        raise ValueError(f"--size is for --part model: --part {args.part} takes images of any size")
    if args.size and min(args.size) < 1:
        raise ValueError(f"--size takes a height and a width of at least 1, not {args.size}")
    if args.out.is_dir():
        raise ValueError(f"--out {args.out} is a folder; name a file")
    if not args.out.parent.is_dir():
        raise ValueError(f"--out {args.out}: there is no folder {args.out.parent} to write to")


def prepare(args: Namespace) -> nn.Module:
    """Check the arguments, and build and deploy what is exported."""
    check(args)
    cfg = load_config(args.config, args.cfg_options)
    return deploy(build_part(cfg, args.part, args.checkpoint))


def tell(difference: Difference) -> None:
    shape = "x".join(map(str, difference.shape))
    print(f"images of {shape}: ONNX Runtime differs by {difference.largest:.1e}", flush=True)


def main() -> None:
    parser = build_parser()
    args = parser.parse_args()
    try:
        require_packages()
    except ImportError as error:
        parser.error(str(error))
    with exit_on_user_error(parser):
        module = prepare(args)
    fixed = dict(shape=(1, 3, *(args.size or SIZE)), unseen=()) if args.part == "model" else {}
    try:
        largest = export_onnx(module, args.out, report=tell, **fixed)
    except ArithmeticError as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")
    print(f"{args.out}: largest difference {largest:.1e} of the largest value, below {TOLERANCE}")


if __name__ == "__main__":
    main()
