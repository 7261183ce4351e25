"""A picture or a video that is named as input, and where what is written of it goes."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from .left_out import is_video

CAMERA = "camera:"


@dataclass(frozen=True)
class Entry:
    """A picture or a video that a user named, or that a folder, pattern or list holds.

    Attributes:
        source: A path, ``camera:0``, or the bytes of a picture.
        stem: As of :class:`Item`.
        fault: Why there is nothing to read, though a list names it.
    """

    source: Path | str | bytes = field(repr=False)
    stem: str
    fault: str = ""

    @property
    def is_video(self) -> bool:
        """Whether it is many pictures."""
        return self.is_endless or (isinstance(self.source, Path) and is_video(self.source))

    @property
    def is_endless(self) -> bool:
        """Whether it ends when the user does."""
        return isinstance(self.source, str)

    @property
    def video(self) -> int | str:
        """What OpenCV opens: the number of a camera, or a path."""
        if isinstance(self.source, str):
            return int(self.source.removeprefix(CAMERA))
        return str(self.source)

    @property
    def told(self) -> str:
        """What to call it."""
        return "standard input" if isinstance(self.source, bytes) else str(self.source)

    @property
    def key(self) -> Any:
        """What two of one file have in common: a path from the root on, where there is a file."""
        if isinstance(self.source, Path):
            return str(self.source) if self.fault else self.source.resolve()
        return self.source


def apart(entries: list[Entry]) -> list[Entry]:
    """Give those of equal stems longer ones: first more folders of the path, then the suffix.

    Nothing is written of what has a fault: it keeps its stem.
    """
    sound = iter(_named_apart([entry for entry in entries if not entry.fault]))
    return [entry if entry.fault else next(sound) for entry in entries]


def _named_apart(entries: list[Entry]) -> list[Entry]:
    twice = _shared(entries)
    if twice:
        named = [entry.source for entry in entries if isinstance(entry.source, Path)]
        top = Path(os.path.commonpath([path.resolve().parent for path in named]))
        entries = [
            replace(entry, stem=_below(entry.source, top))
            if isinstance(entry.source, Path)
            else entry
            for entry in entries
        ]
        twice = _shared(entries)
    return [
        replace(entry, stem=f"{entry.stem}{entry.source.suffix}")
        if entry.stem.lower() in twice and isinstance(entry.source, Path)
        else entry
        for entry in entries
    ]


def _shared(entries: Iterable[Entry]) -> set[str]:
    """Stems of several entries; some file systems take capital letters for small ones."""
    counts = Counter(entry.stem.lower() for entry in entries)
    return {stem for stem, number in counts.items() if number > 1}


def _below(path: Path, top: Path) -> str:
    return PurePosixPath(path.resolve().relative_to(top).as_posix()).with_suffix("").as_posix()
