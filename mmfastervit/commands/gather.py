"""Make one file of a checkpoint in shards, as runs with parameters in shards write them.

The file holds the weights of the whole model and what the run says of itself, not the optimizer's
state: to test, to export, to start another run from.

Examples:
    mmfastervit gather work_dirs/large/epoch_36.sharded large.pth
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import torch

from mmfastervit.checkpoint.sharded import is_sharded, read_whole
from mmfastervit.files import written_whole

from .arguments import CommandFailed, WrongRequest, told_as


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="FOLDER", type=Path, help="a folder NAME.sharded")
    parser.add_argument("target", metavar="FILE", type=Path, help="file to write, ending in .pth")
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there")


def prepare(arguments: Namespace) -> Namespace:
    """Look whether there is what to read and where to write."""
    source, target = arguments.source, arguments.target
    if not (is_sharded(source) and source.is_dir()):
        raise ValueError(f"{source}: expected a folder whose name ends in .sharded")
    if target.suffix != ".pth":
        raise ValueError(f"{target}: the name must end in .pth")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {target.parent} to write to")
    if target.exists() and not arguments.force:
        raise ValueError(f"{target} is there already; --force replaces it")
    return arguments


def run(arguments: Namespace) -> int:
    """Read, write, and say what was written.

    Raises:
        WrongRequest: The checkpoint is not whole.
        CommandFailed: The file could not be written.
    """
    with told_as(CommandFailed, OSError), told_as(WrongRequest, ValueError):
        checkpoint = read_whole(arguments.source)
        with written_whole(arguments.target) as part:
            torch.save(checkpoint, part)
    print(f"{arguments.target}: {len(checkpoint['state_dict'])} tensors of {arguments.source}")
    return 0
