"""What is in the folders of a data set: each is listed once, however many files are asked for."""

import os
from collections.abc import Iterable
from pathlib import Path


class Folders:
    """The names of the files in folders, as they were when each was first asked for."""

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}

    def names(self, folder: str) -> frozenset[str]:
        """What is in a folder; links that lead nowhere are left out, and so is an absent folder."""
        if folder not in self._names:
            self._names[folder] = _names_in(folder)
        return self._names[folder]

    def missing(self, paths: Iterable[Path]) -> list[int]:
        """Which of these files are not there, by number."""
        split = map(os.path.split, paths)  # pathlib takes seconds for a hundred thousand
        return [i for i, (folder, name) in enumerate(split) if name not in self.names(folder)]

    def hint(self, path: Path) -> str:
        """What is there in place of a file that isn't, as the end of a sentence; or ''."""
        if "\\" in str(path):
            return "; it has backslashes, write /"
        names = self.names(str(path.parent))
        if not names:
            return "; its folder is not there or empty"
        alike = [name for name in names if name.lower() == path.name.lower()]
        alike = alike or [name for name in names if Path(name).stem in (path.stem, path.name)]
        alike = alike or [name for name in names if name.startswith(path.stem)]
        return f"; there is {min(alike)}" if alike else ""


def _names_in(folder: str) -> frozenset[str]:
    try:
        with os.scandir(folder or ".") as entries:
            return frozenset(
                entry.name for entry in entries if not entry.is_symlink() or os.path.exists(entry)
            )
    except OSError:  # not there, or not to be read: then its files can't be either
        return frozenset()
