"""The command line: ``mmfastervit NAME``, one file of this folder a command.

A command's file has

- a docstring: its first line is the summary in ``mmfastervit --help``, all of it the command's own;
- ``add_arguments(parser)``;
- ``prepare(arguments)``, which reads and checks what was asked for: a ``ValueError`` or ``OSError``
  raised there is the user's to mend and ends in one line and exit status 2;
- ``run(prepared)``, which does the work and returns the exit status. What it raises keeps its
  traceback, but for :class:`CommandFailed`, which ends in one line; the status is 1.
"""

import ast
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from mmfastervit.signatures import nearest
from mmfastervit.version import __version__

from .arguments import CommandFailed, CommandParser, WrongRequest, told_as

USAGE = """usage: mmfastervit COMMAND [options]

{summaries}

`mmfastervit COMMAND --help` shows a command's options and examples, `--version` the version."""


def summaries() -> dict[str, str]:
    """Every command with the first line of its docstring; no command's file is imported."""
    files = sorted(Path(__file__).parent.glob("[!_]*.py"))
    modules = {file.stem: ast.parse(file.read_text(encoding="utf-8")) for file in files}
    return {
        name.replace("_", "-"): (ast.get_docstring(module) or "").partition("\n")[0]
        for name, module in modules.items()
        if any(isinstance(part, ast.FunctionDef) and part.name == "run" for part in module.body)
    }


def build_parser(name: str, prog: str | None = None) -> CommandParser:
    """Build the parser of a command; without ``prog`` it calls itself as the running file."""
    command = import_module(f"{__name__}.{name.replace('-', '_')}")
    parser = CommandParser(prog, description=command.__doc__)
    command.add_arguments(parser)
    parser.set_defaults(command=command)
    return parser


def main(name: str | None = None, argv: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its status.

    Args:
        name: The command, as the files of ``tools/`` give it; None takes it from ``argv``.
        argv: Its arguments, by default those of the process.
    """
    argv = sys.argv[1:] if argv is None else argv
    prog = Path(sys.argv[0]).name
    try:
        if name is None:
            name, argv = _command_of(argv), argv[1:]
            prog = f"mmfastervit {name}"
        arguments = build_parser(name, prog).parse_args(argv)
        command = vars(arguments).pop("command")
        sys.path.append(os.getcwd())  # for modules of one's own that custom_imports names
        with told_as(WrongRequest, ValueError, OSError):
            prepared = command.prepare(arguments)
        sys.exit(command.run(prepared))
    except CommandFailed as error:
        print(f"{prog}: error: {error}", file=sys.stderr)
        sys.exit(error.status)
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        sys.exit(130)


def _command_of(argv: Sequence[str]) -> str:
    """The command that a user names; exit where there is none to run."""
    known = summaries()
    word = argv[0] if argv else "--help"
    if word in known:
        return word
    if word in ("--version", "-V"):
        print(f"mmfastervit {__version__}")
        sys.exit(0)
    listed = "\n".join(f"  {name:<12} {summary}" for name, summary in known.items())
    if word in ("--help", "-h", "help"):
        print(USAGE.format(summaries=listed))
        sys.exit(0 if argv else 2)
    print(
        f"mmfastervit: error: no command {word!r}{nearest(word, known)}\n"
        f"choose one of {', '.join(known)}",
        file=sys.stderr,
    )
    sys.exit(2)
