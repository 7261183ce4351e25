"""The parts of a published data set: folders of pictures and maps, files, and what must agree."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Writes a label map (second path) from what it is made of (first path).
Rule = Callable[[Path, Path], None]


@dataclass(frozen=True)
class Archive:
    """A download that holds a part.

    Args:
        pattern: Of its file name, as ``glob`` reads it.
        source: Where it is had from.
        into: The folder that it is unpacked in, below the data set's own.
    """

    pattern: str
    source: str
    into: str = "."


@dataclass(frozen=True)
class Part:
    """A folder of files that recipes read, or one file.

    Args:
        name: Where recipes look for it, below ``data_root``.
        archive: What holds it.
        suffix: How the names of the folder's files end; '' of a file.
        count: Files that were published; 0 where it does not matter.
        tail: Last folders of the paths where people have it, by default ``name``.
        but_not: How names end that end in ``suffix`` too and are others.
    """

    name: str
    archive: Archive
    suffix: str = ""
    count: int = 0
    tail: str = ""
    but_not: str = "\0"


@dataclass(frozen=True)
class Made:
    """Label maps that are written from others.

    Args:
        maps: The folder of maps that recipes read.
        source: What each is made from; its file has the same name but for the suffix.
        rule: Makes one.
        beside: Whether they are written to the folder of ``source``, not to one of their own.
    """

    maps: Part
    source: Part
    rule: Rule
    beside: bool = True


@dataclass(frozen=True)
class Names:
    """A file that names pictures or maps, each of which must be there.

    Args:
        file: The file.
        files: The folder of those that it names.
        only: How the names end that are meant; a list of names has no ends.
    """

    file: Part
    files: Part
    only: str = ""


@dataclass(frozen=True)
class MadeList:
    """A list of names that is worked out from others.

    Args:
        file: The list, one name a line.
        work_out: Gives the names, from the names that :mod:`finding` found by part; None where
            what it needs is missing.
    """

    file: Part
    work_out: Callable[[dict[str, list[str]]], list[str] | None]


@dataclass(frozen=True)
class Use:
    """What some recipes read of a data set.

    Args:
        what: In words.
        recipes: Pattern of their names, below our configs.
        data_root: What they have there.
        parts: All that is read.
        pairs: Pictures with their maps: each of the first has one of the second.
        names: Files that name what must be there.
        made: Maps that can be made.
        lists: Lists that can be made.
        sign: The part without which this use is left out, not missing; of the main one, None.
        package: Python package that its recipes need beside those of OpenMMLab.
    """

    what: str
    recipes: str
    data_root: str
    parts: tuple[Part, ...]
    pairs: tuple[tuple[Part, Part], ...] = ()
    names: tuple[Names, ...] = ()
    made: tuple[Made, ...] = ()
    lists: tuple[MadeList, ...] = ()
    sign: Part | None = None
    package: str = ""


@dataclass(frozen=True)
class Layout:
    """A published data set.

    Args:
        name: In words.
        uses: The first is the main one.
        others: Parts that nothing reads but what is made.
        not_this: Folders that tell of another release, with what to say.
    """

    name: str
    uses: tuple[Use, ...]
    others: tuple[Part, ...] = ()
    not_this: tuple[tuple[str, str], ...] = ()
