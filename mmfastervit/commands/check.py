"""Look at the data of a config: what they hold, and what is wrong with them.

Annotation files are read whole. Of the pictures and label maps a sample is opened, the same each
time, or with --all every one. Exit status 1 says that there are faults; they are listed together.

Examples:
    mmfastervit check my_config.py
    mmfastervit check my_config.py --all
    mmfastervit check my_config.py --cfg-options train_dataloader.dataset.ann_file=other.json
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.utils import ProgressBar

from mmfastervit.config.tree import keyed_items
from mmfastervit.engine import options
from mmfastervit.engine.preflight import check_data_there
from mmfastervit.inspection import STAGES, Opening, look_at

from .arguments import CommandFailed, add_config_options


@dataclass(frozen=True)
class _Request:
    """What to look at, and how."""

    cfg: Config
    opening: Opening


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "config", help="config file, or the name of an installed one: mmdet::FOLDER/FILE.py"
    )
    parser.add_argument(
        "--all", action="store_true", help="open every picture and label map, with a progress bar"
    )
    add_config_options(parser)


def prepare(arguments: Namespace) -> _Request:
    """Read the config and look whether it names data, and whether they are there."""
    cfg = options.load_config(arguments.config, arguments.cfg_options)
    loaders = [f"{stage}_dataloader" for stage in STAGES]
    if not any(list(keyed_items(cfg.get(loader), loader)) for loader in loaders):
        raise ValueError(f"this config names no data: it has none of {', '.join(loaders)}")
    check_data_there(cfg, STAGES)
    sample = None if arguments.all else Opening.sample
    return _Request(cfg, Opening(sample, track=_with_progress))


def run(request: _Request) -> int:
    """Look, and say what was found.

    Raises:
        CommandFailed: There are faults.
    """
    report = look_at(request.cfg, opening=request.opening)
    print(report.told())
    if report.faults:
        raise CommandFailed(report.told_faults())
    print("no faults found" if request.opening.sample is None else
          "no faults found; --all opens every picture")  # fmt: skip
    return 0


def _with_progress(items: Iterable[Any], length: int, what: str) -> Iterator[Any]:
    """Show how far the look has come, where somebody watches."""
    if not sys.stderr.isatty():
        yield from items
        return
    print(f"{what}:", file=sys.stderr)
    bar = ProgressBar(length, file=sys.stderr)
    for item in items:
        bar.update()
        yield item
    print(file=sys.stderr)
