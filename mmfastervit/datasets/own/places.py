"""Files and folders of one's own data: what is there, and which of it is to evaluate on."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
MAPS = (".png", ".bmp", ".tif", ".tiff")
VALIDATION = ("val", "valid", "validation", "test", "dev")
LOOKED_AT = 50  # pictures that are opened
PARTS = ("_part-train", "_part-val")  # how the names of the files of two parts end
_DEPTH = 4  # folders below the one that is named

Item = TypeVar("Item")


def files_of(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Files of some kinds, at most a few folders down, without hidden ones."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in suffixes
        and len(path.relative_to(folder).parts) <= _DEPTH
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def files_in(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Files of some kinds in the folder itself."""
    return [path for path in sorted(folder.iterdir()) if path.suffix.lower() in suffixes]


def folders_of(folder: Path) -> list[Path]:
    """The folder and all below it."""
    return [folder, *(path for path in sorted(folder.rglob("*")) if path.is_dir())]


def below(folder: Path, path: Path) -> str:
    """A path from ``folder`` on, as configs have it."""
    return path.relative_to(folder).as_posix()


def listed(folder: Path, paths: Iterable[Path]) -> str:
    """Paths in a sentence."""
    return ", ".join(below(folder, path) for path in paths)


def words_of(folder: Path, path: Path) -> set[str]:
    """The words of a path from ``folder`` on, in small letters."""
    words = "/".join(path.relative_to(folder).parts).lower()
    for sign in "/_-. 0123456789":
        words = words.replace(sign, " ")
    return set(words.split())


def is_validation(folder: Path, path: Path) -> bool:
    """Whether a word of the path says that its data are to evaluate on."""
    return not words_of(folder, path).isdisjoint(VALIDATION)


def parted(items: Sequence[Item], share: float) -> tuple[list[Item], list[Item]]:
    """Two or more items in two parts by chance, always alike: to train and to evaluate on."""
    shuffled = list(items)
    random.Random(0).shuffle(shuffled)
    cut = min(len(items) - 1, max(1, round(len(items) * share)))
    return shuffled[cut:], shuffled[:cut]


def sample(items: Sequence[Item]) -> list[Item]:
    """A few of the items by chance, always the same, in their order."""
    if len(items) <= LOOKED_AT:
        return list(items)
    rows = random.Random(0).sample(range(len(items)), LOOKED_AT)
    return [items[row] for row in sorted(rows)]
