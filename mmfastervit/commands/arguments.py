"""Reading a command line: the parser of all commands, and the arguments that several share.

``doctor`` has this file too, where mmengine does not import: what an option needs of mmengine is
imported when a command adds the option.
"""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmfastervit.signatures import nearest

LAUNCHERS = ("none", "pytorch", "slurm", "mpi")


class CommandFailed(Exception):
    """A command did its work, and the outcome is not what was asked for."""

    status = 1


class WrongRequest(CommandFailed):
    """What was asked for cannot be had, which showed only once the work had begun."""

    status = 2


@contextmanager
def told_as(outcome: type[CommandFailed], *errors: type[Exception]) -> Iterator[None]:
    """Let errors of these types end the command in one line, as ``outcome`` does."""
    try:
        yield
    except errors as error:
        raise outcome(str(error)) from error


class CommandParser(ArgumentParser):
    """A parser that shows a docstring as it is and says which option was probably meant."""

    def __init__(self, prog: str | None, description: str | None):
        super().__init__(prog, None, description, formatter_class=RawDescriptionHelpFormatter)

    def parse_args(  # type: ignore[override]  # of ArgumentParser's overloads, the common one
        self, args: Sequence[str] | None = None, namespace: Namespace | None = None
    ) -> Namespace:
        """Parse; an unknown option is told first, with the nearest one, whatever else is wrong.

        An argument that may be left out may also stand behind options.
        """
        words = list(sys.argv[1:] if args is None else args)
        known = self._option_string_actions
        for word in words:
            option = word.partition("=")[0]
            if option[:2] == "--" and not any(name.startswith(option) for name in known):
                self.error(f"unrecognized argument {word!r}{nearest(option, known)}")
        parsed, unknown = self.parse_known_intermixed_args(words, namespace)
        if unknown:
            self.error(f"unrecognized argument {unknown[0]!r}")
        return parsed


def add_config_options(parser: ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    from .config_options import ConfigOptions

    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=ConfigOptions,
        metavar="KEY=VALUE",
        help='change config values, e.g. train_dataloader.batch_size=4 model.x="[1,2]" y.0.z=None',
    )


def add_run_arguments(parser: ArgumentParser) -> None:
    """Add the config file and the options that training and testing have in common."""
    parser.add_argument(
        "config", help="config file, or the name of an installed one: mmdet::FOLDER/FILE.py"
    )
    parser.add_argument(
        "--work-dir", help="folder of logs and checkpoints (default: ./work_dirs/CONFIG_NAME)"
    )
    add_config_options(parser)
    add_no_check(parser)
    parser.add_argument("--launcher", choices=LAUNCHERS, default="none")
    parser.add_argument(
        "--local-rank", "--local_rank", type=int, default=0, help="set by old launchers"
    )


def add_no_check(parser: ArgumentParser) -> None:
    """Add ``--no-check``."""
    parser.add_argument(
        "--no-check",
        action="store_true",
        help="start without a look at the data (docs/own-data.md)",
    )


def add_allow_partial(parser: ArgumentParser, purpose: str) -> None:
    """Add ``--allow-partial``, the stated way to go on with a part of the weights."""
    parser.add_argument("--allow-partial", action="store_true", help=f"{purpose}; says which")


def export_local_rank(arguments: Namespace) -> None:
    """Set ``LOCAL_RANK`` for mmengine where the launcher has not."""
    os.environ.setdefault("LOCAL_RANK", str(arguments.local_rank))


def pickle_path(text: str) -> str:
    """Accept the name of a pickle file.

    Raises:
        ArgumentTypeError: the suffix is neither .pkl nor .pickle.
    """
    if not text.endswith((".pkl", ".pickle")):
        raise ArgumentTypeError(f"expected a file name ending in .pkl or .pickle, got {text!r}")
    return text


def check_writable(option: str, target: Path | None) -> None:
    """Raise ValueError unless a file can be written to ``target``, which ``option`` names."""
    if target is None:
        return
    if not target.parent.is_dir():
        raise ValueError(f"{option} {target}: there is no folder {target.parent} to write to")
    if target.exists() and not target.is_file():
        raise ValueError(f"{option} {target} is a folder or no plain file; name a file")


def check_folder(option: str, folder: Path) -> None:
    """Raise ValueError unless ``folder``, which ``option`` names, is a folder or can become one."""
    there = next(part for part in (folder, *folder.parents) if part.exists())
    if not there.is_dir():
        raise ValueError(f"{option} {folder}: {there} is a file; name a folder")
    if not os.access(there, os.W_OK):
        raise ValueError(f"{option} {folder}: {there} can't be written to")
