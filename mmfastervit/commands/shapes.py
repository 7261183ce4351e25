"""Draw the shapes data set: COCO instances and ADE-style semantic maps of the same images.

Examples:
    mmfastervit shapes --out data/shapes
    mmfastervit shapes --out data/few --train 20 --val 8 --size 128
"""

import logging
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from mmfastervit.datasets.shapes import write_dataset

from .arguments import CommandFailed, WrongRequest, told_as


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder to make, e.g. data/shapes")
    add_number(parser, "--train", 400, "training images")
    add_number(parser, "--val", 48, "validation images")
    add_number(parser, "--size", 256, "image side in pixels")
    add_number(parser, "--seed", 0, "of the drawing")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a set that this command made"
    )


def add_number(parser: ArgumentParser, option: str, default: int, meaning: str) -> None:
    """Add an option that takes a whole number."""
    parser.add_argument(
        option, type=int, default=default, metavar="N", help=f"{meaning} (default: {default})"
    )


def prepare(arguments: Namespace) -> dict:
    """The arguments of :func:`mmfastervit.datasets.shapes.write_dataset`, which checks them."""
    return vars(arguments)


def run(arguments: dict) -> int:
    """Draw and write the set.

    Raises:
        WrongRequest: An argument is out of its range, or the folder holds something else.
        CommandFailed: The set could not be written.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    with told_as(CommandFailed, OSError), told_as(WrongRequest, ValueError, FileExistsError):
        write_dataset(**arguments)
    return 0
