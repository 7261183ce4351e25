"""Write a model to hand out: weights, architecture and class names in one file.

Averaged weights (EMA) are taken where the run kept them; optimizer and logs are left out. The name
ends in the first digits of the file's SHA-256. Whoever gets it needs no config, and nothing in it
is run. Without --config the text of the config that mmengine keeps in its checkpoints is read, as
data.

Examples:
    mmfastervit publish work_dirs/cells/epoch_24.pth
    mmfastervit publish work_dirs/cells/epoch_24.pth --config cells.py --out models --name cells
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from mmengine.config import Config

from mmfastervit.inference.publishing import publish

from .arguments import WrongRequest, add_config_options, told_as
from .model_config import config_asked

Request = tuple[str, Config | None, Path | None, str | None]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("checkpoint", help="checkpoint file or URL")
    parser.add_argument(
        "--config", help="its config, where the checkpoint does not hold one of plain values"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to write to (default: the checkpoint's)"
    )
    parser.add_argument(
        "--name", metavar="STEM", help="how the file's name begins (default: the config's)"
    )
    add_config_options(parser)


def prepare(arguments: Namespace) -> Request:
    """Read the config."""
    if arguments.out and arguments.out.exists() and not arguments.out.is_dir():
        raise ValueError(f"--out {arguments.out} is a file; name a folder")
    if arguments.name and Path(arguments.name).name != arguments.name:
        raise ValueError(f"--name {arguments.name}: give a name without folders")
    cfg = config_asked(arguments)
    return arguments.checkpoint, cfg, arguments.out, arguments.name


def run(request: Request) -> int:
    """Write the file and say where it is.

    Raises:
        WrongRequest: The checkpoint does not fit, or the model can't be described.
    """
    checkpoint, cfg, folder, stem = request
    with told_as(WrongRequest, ValueError, FileNotFoundError):
        path = publish(checkpoint, cfg, folder, stem)
    size = path.stat().st_size / 2**20
    print(
        f"{path}: {size:.1f} MiB\nTry it: mmfastervit infer PICTURE --checkpoint {path} --out out"
    )
    return 0
