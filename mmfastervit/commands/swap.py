"""Put FasterViT in place of the backbone of an existing config.

Writes a config on top of the original that the stock train.py of mmdet or mmseg runs, and prints
every change with its reason. The published weights, taken unless --pretrained says otherwise, are
for non-commercial use only.
Example: python tools/swap_backbone.py mmdet::retinanet/retinanet_r50_fpn_1x_coco.py \\
             --arch fastervit_2 --out retinanet_fastervit-2.py --check
"""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter

from mmfastervit.archs import ARCHS
from mmfastervit.swap import SwapAuditError
from mmfastervit.swap.backbone import OPTIONS
from mmfastervit.swap.command import swap_command

from .arguments import ConfigOptions, exit_on_user_error


def build_parser() -> ArgumentParser:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument(
        "config", metavar="CONFIG", help="config file, or an installed one: mmdet::FOLDER/FILE.py"
    )
    parser.add_argument("--arch", required=True, metavar="NAME", help=", ".join(ARCHS))
    parser.add_argument("--out", metavar="FILE.py", help="config to write")
    parser.add_argument("--force", action="store_true", help="replace FILE.py if it is there")
    parser.add_argument(
        "--list",
        dest="list_only",
        action="store_true",
        help="only show which parts depend on the backbone and how they would change",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="build the result and run one training and one inference step on generated input",
    )
    parser.add_argument(
        "--pretrained",
        metavar="WEIGHTS",
        help="path, URL, mmfastervit://NAME, or none (default: the published weights of --arch)",
    )
    parser.add_argument(
        "--backbone-options",
        nargs="+",
        action=ConfigOptions,
        default={},
        metavar="KEY=VALUE",
        help=f"of the new backbone: {', '.join(OPTIONS)}",
    )
    parser.add_argument(
        "--keep-optimizer", action="store_true", help="leave SGD instead of the recipe's AdamW"
    )
    return parser


def parse_arguments(parser: ArgumentParser) -> Namespace:
    arguments = parser.parse_args()
    if not (arguments.out or arguments.list_only or arguments.check):
        parser.error("give --out FILE.py to write a config, or --list or --check to look only")
    if arguments.out and arguments.list_only:
        parser.error("--list writes nothing: leave out --out, or --list")
    return arguments


def main() -> None:
    parser = build_parser()
    arguments = parse_arguments(parser)
    try:
        with exit_on_user_error(parser):
            print(swap_command(**vars(arguments)))
    except SwapAuditError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")


if __name__ == "__main__":
    main()
