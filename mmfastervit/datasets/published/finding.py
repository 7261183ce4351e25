"""Where the parts of a data set lie below the folders that a user names."""

import json
import mmap
import os
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .pieces import Archive, Part

_DEPTH = 5  # folders below the one that is named: of the data set's own, and two more
_FILE_NAME = re.compile(rb'"file_name":\s*("(?:[^"\\]|\\.)*")')
_END = 64  # bytes of a file in which its last sign stands


@dataclass(frozen=True)
class Place:
    """Where a part lies.

    Args:
        part: Which.
        path: Its folder, or the file.
    """

    part: Part
    path: Path

    @cached_property
    def names(self) -> list[str]:
        """Names of the folder's files without their common end, or the lines of a list."""
        if self.part.suffix:
            return sorted(_names(self.path, self.part))
        if self.path.suffix == ".txt":
            lines = self.path.read_text(encoding="utf-8").split("\n")
            return [line.split()[0] for line in lines if line.strip()]
        return []

    @property
    def is_cut_off(self) -> bool:
        """Whether a JSON file does not end as such files do; the file is not read as a whole."""
        if self.path.suffix != ".json":
            return False
        with self.path.open("rb") as file:
            first = file.read(_END).lstrip()[:1]
            file.seek(-min(_END, self.path.stat().st_size), os.SEEK_END)
            return (first, file.read().rstrip()[-1:]) != (b"{", b"}")

    def named(self, end: str) -> set[str]:
        """What the file names: of a JSON file, all with this end, which is left out.

        Such a file has some hundred megabytes; it is searched and not parsed.
        """
        if self.path.suffix == ".txt" or not self.path.stat().st_size:
            return set(self.names)
        with (
            self.path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            found = {json.loads(match[1]) for match in _FILE_NAME.finditer(content)}
        return {name.removesuffix(end) for name in found if name.endswith(end)}

    def file_of(self, name: str) -> Path:
        """The folder's file of a name."""
        return self.path / f"{name}{self.part.suffix}"


def _names(folder: Path, part: Part) -> Iterator[str]:
    for place, _, files in os.walk(folder, followlinks=True):
        below = Path(place).relative_to(folder)
        for file in files:
            if file.endswith(part.suffix) and not file.endswith(part.but_not):
                yield (below / file.removesuffix(part.suffix)).as_posix()


def folders_below(roots: Sequence[Path]) -> list[Path]:
    """The folders that are named and those below them, the nearest first; hidden ones left out."""
    found, seen = [], set()
    level = list(roots)
    for _ in range(_DEPTH + 1):
        below = []
        for folder in level:
            if folder.resolve() not in seen:  # a link may lead back
                seen.add(folder.resolve())
                found.append(folder)
                with os.scandir(folder) as entries:
                    below += [
                        Path(one.path)
                        for one in entries
                        if not one.name.startswith(".") and one.is_dir()
                    ]
        level = sorted(below)
    return found


def find(part: Part, folders: Iterable[Path]) -> Place | None:
    """The place of a part: the nearest, of several as near the one with the most files."""
    tail = Path(part.tail or part.name).parts
    if not part.suffix:
        files = (folder / part.name for folder in folders)
        # a list may lie in its own folder that was named, or that others have
        return next((Place(part, file) for file in files if file.is_file()), None)
    fitting = [Place(part, f) for f in folders if f.parts[-len(tail) :] == tail]
    filled = [place for place in fitting if any(True for _ in _names(place.path, part))]
    if not filled:
        return None
    nearest = min(len(place.path.parts) for place in filled)
    return max(
        (place for place in filled if len(place.path.parts) == nearest),
        key=lambda place: len(place.names),
    )


def find_packed(archive: Archive, folders: Iterable[Path]) -> Path | None:
    """The download that holds a part, where it lies unpacked or not in these folders."""
    files = (file for folder in folders for file in sorted(folder.glob(archive.pattern)))
    return next((file for file in files if file.is_file()), None)


def unpacking(file: Path, into: Path) -> str:
    """What to do with a download, in words: a command that replaces no file."""
    if file.suffix == ".zip":
        if not zipfile.is_zipfile(file):
            return f"{file} is not whole, or no zip file: download it again"
        return f"packed; unpack it: unzip -n {file} -d {into}"
    if not tarfile.is_tarfile(file):
        return f"{file} is not whole, or no tar file: download it again"
    return f"packed; unpack it: mkdir -p {into} && tar --skip-old-files -xf {file} -C {into}"
