"""Put FasterViT in place of the backbone of an existing config.

Writes a config on top of the original that the stock train.py of mmdet or mmseg runs, and prints
every change with its reason. The published weights, taken unless --pretrained says otherwise, are
for non-commercial use only.

Examples:
    mmfastervit swap mmdet::retinanet/retinanet_r50_fpn_1x_coco.py \\
        --arch fastervit_2 --out retinanet_fastervit-2.py --check
    mmfastervit swap my_config.py --arch fastervit_0 --list
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from mmfastervit.archs import ARCHS
from mmfastervit.checkpoint.choosing import FROM_SCRATCH
from mmfastervit.config.finding import base_name, read_config
from mmfastervit.swap import SwapAuditError
from mmfastervit.swap.audit import audit
from mmfastervit.swap.check import check, check_weights
from mmfastervit.swap.planning import Swap, plan_swap
from mmfastervit.swap.replacement import OPTIONS
from mmfastervit.swap.summary import parts_of, summarise
from mmfastervit.swap.writing import check_target, write_config

from .arguments import CommandFailed, WrongRequest, told_as
from .config_options import ConfigOptions


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "config", metavar="CONFIG", help="config file, or an installed one: mmdet::FOLDER/FILE.py"
    )
    parser.add_argument("--arch", required=True, metavar="NAME", help=", ".join(ARCHS))
    parser.add_argument("--out", type=Path, metavar="FILE.py", help="config to write")
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
        help="build the result and run one training and one inference step on generated input;"
        " look into the file that --pretrained names",
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


def prepare(arguments: Namespace) -> tuple[Swap, Namespace]:
    """Read the original, check where the result goes, and plan the swap."""
    if not (arguments.out or arguments.list_only or arguments.check):
        raise ValueError("give --out FILE.py to write a config, or --list or --check to look only")
    if arguments.out and arguments.list_only:
        raise ValueError("--list writes nothing: leave out --out, or --list")
    original = read_config(arguments.config)
    if arguments.out:
        check_target(arguments.out, original, arguments.force)
    unknown = sorted(set(arguments.backbone_options) - set(OPTIONS))
    if unknown:
        raise ValueError(f"--backbone-options: no {unknown}; there are {', '.join(OPTIONS)}")
    swap = plan_swap(
        original,
        arguments.arch,
        pretrained=arguments.pretrained,
        backbone_options=arguments.backbone_options,
        keep_optimizer=arguments.keep_optimizer,
    )
    return swap, arguments


def run(prepared: tuple[Swap, Namespace]) -> int:
    """List, or check and write, and report.

    Raises:
        WrongRequest: The weights that are named do not fit.
        CommandFailed: The swapped config would not do what it should; nothing is written.
    """
    swap, arguments = prepared
    if arguments.list_only:
        print(parts_of(swap))
        return 0
    report = [summarise(swap)]
    try:
        if arguments.check:
            if arguments.pretrained not in (None, FROM_SCRATCH):
                with told_as(WrongRequest, ValueError, FileNotFoundError):
                    report.append(f"check: {check_weights(swap)}")
            report += [f"check: {line}" for line in check(swap)]
        else:
            report += [f"note: {line}" for line in audit(swap)]
        if arguments.out:
            base = base_name(arguments.config, arguments.out)
            write_config(swap, base, arguments.out, force=arguments.force)
            report.append(f"wrote {arguments.out}; it runs with the stock train.py from any folder")
    except SwapAuditError as error:
        raise CommandFailed(str(error)) from error
    print("\n".join(report))
    return 0
