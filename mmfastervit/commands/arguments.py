"""The command-line arguments that the tools share, and how a user's mistake is reported."""

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mmengine.config import DictAction

LAUNCHERS = ("none", "pytorch", "slurm", "mpi")


class ConfigOptions(DictAction):
    """mmengine's ``KEY=VALUE`` action, with a usage error for what it cannot read."""

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: Sequence[str],
        option_string: str | None = None,
    ) -> None:
        try:
            super().__call__(parser, namespace, values, option_string)
        except (AssertionError, ValueError):
            parser.error(f"{option_string} takes KEY=VALUE pairs, got {' '.join(values)!r}")


def add_common_arguments(parser: ArgumentParser) -> None:
    """Add the config file and the options that training and testing have in common."""
    parser.add_argument(
        "config", help="config file, or the name of an installed one: mmdet::FOLDER/FILE.py"
    )
    parser.add_argument(
        "--work-dir", help="folder of logs and checkpoints (default: ./work_dirs/CONFIG_NAME)"
    )
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=ConfigOptions,
        metavar="KEY=VALUE",
        help='change config values, e.g. train_dataloader.batch_size=4 model.x="[1,2]" y.0.z=None',
    )
    parser.add_argument("--launcher", choices=LAUNCHERS, default="none")
    parser.add_argument(
        "--local-rank", "--local_rank", type=int, default=0, help="set by old launchers"
    )


def parse_arguments(parser: ArgumentParser, argv: Sequence[str] | None = None) -> Namespace:
    """Parse ``argv`` and export ``LOCAL_RANK`` for mmengine where the launcher has not."""
    arguments = parser.parse_args(argv)
    os.environ.setdefault("LOCAL_RANK", str(arguments.local_rank))
    return arguments


def pickle_path(text: str) -> str:
    """Accept the name of a pickle file.

    Raises:
        ArgumentTypeError: the suffix is neither .pkl nor .pickle.
    """
    if not text.endswith((".pkl", ".pickle")):
        raise ArgumentTypeError(f"expected a file name ending in .pkl or .pickle, got {text!r}")
    return text


@contextmanager
def exit_on_user_error(parser: ArgumentParser) -> Iterator[None]:
    """Turn a ``ValueError`` or ``FileNotFoundError`` of the preparations into exit status 2.

    Wrap the preparations only: an error of the run itself must keep its traceback.
    """
    try:
        yield
    except (FileNotFoundError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
