"""Convert a FasterViT checkpoint between published names and mmfastervit's, whichever it has not.

Published weights, converted or not, stay under their authors' licence: non-commercial use only.

Examples:
    mmfastervit convert fastervit_0_224_1k.pth.tar fastervit_0.safetensors
    mmfastervit convert mmfastervit://fastervit_4_21k_384_w24 mine.pth --arch fastervit_4_21k_384
"""

from argparse import ArgumentParser, Namespace

from mmfastervit.archs import ARCHS
from mmfastervit.convert import SUFFIXES, convert

from .arguments import CommandFailed, WrongRequest, told_as


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="SRC", help="file, URL or mmfastervit://NAME")
    parser.add_argument(
        "target", metavar="DST", help=f"file to write, ending in {', '.join(SUFFIXES)}"
    )
    parser.add_argument(
        "--arch",
        choices=list(ARCHS),
        metavar="NAME",
        help="architecture it must be; name it where the shapes fit several (fastervit_4_21k_*)",
    )
    parser.add_argument(
        "--trust-checkpoint",
        action="store_true",
        help="run whatever code SRC holds; only for files whose author you trust",
    )
    parser.add_argument("--force", action="store_true", help="replace DST if it is there")


def prepare(arguments: Namespace) -> dict:
    """The arguments of :func:`mmfastervit.convert.convert`, which checks them."""
    return vars(arguments)


def run(arguments: dict) -> int:
    """Convert and report.

    Raises:
        WrongRequest: The source or the target is not what :func:`convert` takes.
        CommandFailed: The file could not be written.
    """
    refusals = (ValueError, FileNotFoundError, FileExistsError)
    with told_as(CommandFailed, OSError), told_as(WrongRequest, *refusals):
        print(convert(**arguments))
    return 0
