"""Print a config with all that it inherits, as Python that reads back the same.

Base files, --cfg-options and configs of the read_base kind are resolved; classes that those import
are printed by their names.

Examples:
    mmfastervit print-config mmfastervit::det/retinanet_fastervit-0_fpn_1x_coco.py
    mmfastervit print-config my_config.py --path model.backbone
    mmfastervit print-config my_config.py --cfg-options model.neck.num_outs=4 --out whole.py
    mmfastervit print-config my_config.py --diff mmdet::retinanet/retinanet_r50_fpn_1x_coco.py
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmengine.config import Config

from mmfastervit.config.comparing import differences
from mmfastervit.config.source import flat, render
from mmfastervit.config.tree import ABSENT, dotted, rebuild
from mmfastervit.engine.options import read_changed
from mmfastervit.files import written_whole
from mmfastervit.signatures import nearest

from .arguments import CommandFailed, add_config_options, check_writable

_SHOWN = 30  # keys in a message


@dataclass(frozen=True)
class _Request:
    """What to print, and where to."""

    text: str
    whole: dict[str, Any] | None  # what the text must read back as; None of a part
    out: Path | None


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "config", help="config file, or the name of an installed one: mmdet::FOLDER/FILE.py"
    )
    parser.add_argument("--path", metavar="KEYS", help="print this part, such as model.backbone")
    parser.add_argument("--out", type=Path, metavar="FILE.py", help="write it to this file")
    parser.add_argument(
        "--diff", metavar="CONFIG", help="print what is otherwise in the first than in this one"
    )
    add_config_options(parser)


def prepare(arguments: Namespace) -> _Request:
    """Read the config and write it out as text."""
    check_writable("--out", arguments.out)
    if arguments.out and arguments.out.suffix != ".py":
        raise ValueError(f"--out takes a name that ends in .py, not {arguments.out}")
    tree = _tree(read_changed(arguments.config, arguments.cfg_options))
    value = part_at(tree, arguments.path)
    if arguments.diff:
        other = part_at(_tree(read_changed(arguments.diff)), arguments.path)
        return _Request(_told_differences(other, value), None, arguments.out)
    if arguments.path:
        return _Request(f"{render(value, 0)}\n", None, arguments.out)
    lines = [f"{key} = {render(inner, len(key) + 3)}" for key, inner in value.items()]
    return _Request("\n".join(lines) + "\n", tree, arguments.out)


def run(request: _Request) -> int:
    """Print it, or write the file.

    Raises:
        CommandFailed: The config holds what Python source can't say.
    """
    if request.whole is not None:
        _check_reads_back(request.text, request.whole)
    if request.out is None:
        print(request.text, end="")
        return 0
    with written_whole(request.out) as file:
        file.write_text(request.text, encoding="utf-8")
    return 0


def _tree(cfg: Config) -> dict[str, Any]:
    """The config as plain dicts, without mmengine's marks of a scope that is the default."""
    own = ("_scope_", cfg.get("default_scope"))
    return rebuild(cfg.to_dict(), lambda node: {k: v for k, v in node.items() if (k, v) != own})


def part_at(tree: Any, keys: str | None) -> Any:
    """The part of a config that dotted keys lead to; all of it without any.

    Raises:
        ValueError: They lead nowhere; the message has the nearest name.
    """
    done: list[str] = []
    for key in keys.split(".") if keys else ():
        where = ".".join(done) or "the config"
        if isinstance(tree, (list, tuple)):
            if not (key.isdecimal() and int(key) < len(tree)):
                raise ValueError(
                    f"--path {keys}: {where} is a list; take 0 to {len(tree) - 1}, not {key!r}"
                )
            tree = tree[int(key)]
        elif isinstance(tree, Mapping):
            names = {str(name): name for name in tree}
            if key not in names:
                listed = ", ".join([*names][:_SHOWN]) or "nothing"
                raise ValueError(
                    f"--path {keys}: {where} has no {key!r} (it has {listed}){nearest(key, names)}"
                )
            tree = tree[names[key]]
        else:
            raise ValueError(f"--path {keys}: {where} is {tree!r}, which has nothing below it")
        done.append(key)
    return tree


def _told_differences(was: Any, now: Any) -> str:
    """A line for each place at which two configs differ."""
    lines = []
    for path, old, new in differences(was, now):
        key = dotted(path) or "."
        if old is ABSENT:
            lines.append(f"+ {key} = {flat(new)}")
        elif new is ABSENT:
            lines.append(f"- {key} = {flat(old)}")
        else:
            lines.append(f"~ {key}: {flat(old)} -> {flat(new)}")
    return "".join(f"{line}\n" for line in lines) or "no difference\n"


def _check_reads_back(text: str, tree: dict[str, Any]) -> None:
    """Read the text as mmengine will, and compare."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "printed.py"
        file.write_text(text, encoding="utf-8")
        try:
            back = Config.fromfile(file).to_dict()
        except Exception as error:  # the text is a program
            raise CommandFailed(f"this config can't be written as Python: {error}") from error
    for path, _, _ in differences(tree, back):
        raise CommandFailed(f"this config can't be written as Python: {dotted(path)} is lost")
