"""Look through a published data set as you unpacked it, and make what the recipes need of it.

Says what is missing, packed or incomplete, writes the label maps and lists that no download has
(beside what is there: no file of yours is moved, changed or deleted; an interrupted run goes on
where it was), and ends with the recipes that can run and how they are led to the folder. Exit
status 1 says that something is missing.

Examples:
    mmfastervit prepare coco --root /data/coco
    mmfastervit prepare ade20k --root /data/ADEChallengeData2016 --check-only
    mmfastervit prepare cityscapes --root /data/cityscapes --link data
    mmfastervit prepare voc --root /data/VOCdevkit/VOC2012 /data/benchmark_RELEASE
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.utils import ProgressBar

from mmfastervit.config.finding import find_config
from mmfastervit.datasets.published import LAYOUTS, Look, look_at_folder, make_missing
from mmfastervit.datasets.published.making import Failure
from mmfastervit.datasets.published.reaching import (
    is_where_recipes_look,
    links_for,
    make_links,
    options_for,
    recipes_of,
)

from .arguments import CommandFailed, WrongRequest, told_as

_SHOWN = 5  # failures in a message


@dataclass(frozen=True)
class _Request:
    """What to look for, where, and what may be written."""

    name: str
    roots: list[Path]
    looks: list[Look]
    link: Path | None
    check_only: bool
    allow_part: bool
    workers: int | None


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", choices=tuple(LAYOUTS), help=", ".join(LAYOUTS))
    parser.add_argument(
        "--root",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="where you unpacked it; several if its parts lie apart (the first is written to)",
    )
    parser.add_argument(
        "--link",
        type=Path,
        metavar="DIR",
        help="make links in this folder, such as data, by which recipes find the data set",
    )
    parser.add_argument("--check-only", action="store_true", help="write nothing")
    parser.add_argument(
        "--allow-part",
        action="store_true",
        help="fewer files than were published are meant to be",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: processors)")


def prepare(arguments: Namespace) -> _Request:
    """Look at the folders."""
    for root in arguments.root:
        if not root.is_dir():
            raise FileNotFoundError(f"--root: there is no folder {root}")
    if arguments.workers is not None and arguments.workers < 1:
        raise ValueError(f"--workers must be at least 1, not {arguments.workers}")
    if arguments.link and arguments.check_only:
        raise ValueError("--check-only writes nothing, and --link makes links: leave one out")
    looks = look_at_folder(LAYOUTS[arguments.name], arguments.root, arguments.allow_part)
    return _Request(
        arguments.name,
        arguments.root,
        looks,
        arguments.link,
        arguments.check_only,
        arguments.allow_part,
        arguments.workers,
    )


def run(request: _Request) -> int:
    """Make what is to be made, and tell what there is.

    Raises:
        CommandFailed: Something is missing, or could not be made.
        WrongRequest: A link can't be made, as something else stands in its place.
    """
    looks = request.looks
    failures: list[Failure] = []
    if not request.check_only and any(look.tasks or look.lists for look in looks):
        maps = sum(len(look.tasks) for look in looks)
        print(f"to be made: {maps} label maps", flush=True)
        failures = make_missing(looks, request.workers, _with_progress)
        looks = look_at_folder(LAYOUTS[request.name], request.roots, request.allow_part)
    print(LAYOUTS[request.name].name)
    for look in looks:
        print("\n".join(_told(look)))
    ready = [look for look in looks if look.is_ready]
    if request.link:
        _link(ready, request.link)
    for look in ready:
        _reach(look)
    _end(looks, failures)
    return 0


def _with_progress(items: Iterable[list[Failure]], length: int) -> Iterator[list[Failure]]:
    """Show how far the making has come, where somebody watches."""
    if not sys.stderr.isatty():
        yield from items
        return
    bar = ProgressBar(length, file=sys.stderr)
    for item in items:
        bar.update()
        yield item
    print(file=sys.stderr)


def _told(look: Look) -> Iterator[str]:
    """What was found of a use, line by line."""
    if look.is_absent:
        yield f"- {look.use.what}: not there, which only its own recipes need"
        return
    yield f"- {look.use.what}, in {look.base}"
    for part in look.use.parts:
        if part in look.places:
            place = look.places[part]
            number = f": {len(place.names)}" if part.suffix or place.names else ""
            yield f"    {_shown(place.path, look.base)}{number} {part.suffix}".rstrip()
    if look.tasks:
        yield f"    to be made: {len(look.tasks)} label maps, in {look.tasks[0].target.parent} ..."
    for path, lines in look.lists:
        yield f"    to be made: {path}, of {len(lines)} names"
    yield from (f"    note: {note}" for note in look.notes)
    yield from (f"    FAULT: {fault}" for fault in look.faults)


def _shown(path: Path, base: Path) -> str:
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def _link(looks: Sequence[Look], folder: Path) -> None:
    """Make the links by which recipes find what is there."""
    links = {place: to for look in looks for place, to in links_for(look, folder).items()}
    with told_as(WrongRequest, OSError):
        made = make_links(links)
    for place in made:
        print(f"linked: {place} -> {place.resolve()}")


def _reach(look: Look) -> None:
    """Say which recipes can run, and how they find the data set."""
    names = recipes_of(look.use)
    print(f"\nrecipes for {look.use.what} that can run:")
    print("\n".join(f"    {name}" for name in names))
    if is_where_recipes_look(look, Path.cwd()):
        print(f"from here they find it as {look.use.data_root}")
        return
    cfg = Config.fromfile(find_config(names[0]), import_custom_modules=False)
    options = "".join(f" \\\n    {key}={value}" for key, value in options_for(cfg, look).items())
    print(f"they look for {look.use.data_root}; make a link (--link data), or add\n"
          f"    --cfg-options{options}")  # fmt: skip


def _end(looks: Sequence[Look], failures: Sequence[Failure]) -> None:
    """End in one line where something is wrong."""
    if failures:
        told = "".join(f"\n    {path}: {reason}" for path, reason in failures[:_SHOWN])
        raise CommandFailed(f"{len(failures)} label maps could not be made, such as of{told}")
    if faults := {fault for look in looks for fault in look.faults}:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise CommandFailed(f"{count}, listed above")
    if any(look.tasks or look.lists for look in looks):
        raise CommandFailed("label maps or lists are to be made: run it without --check-only")
