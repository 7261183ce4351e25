"""What is not predicted on though an INPUT holds it, and how that is told in a line."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .pictures import SUFFIXES
from .videos import VIDEOS

_KINDS = 5  # told by name, the most frequent ones
_OTHER = "not pictures that can be read"
_VIDEO = "name videos themselves"
NO_LIST = "not lists of files that are there; @FILE is read as a list in any case"
RESULT = "lying where results are written"


@dataclass(frozen=True)
class LeftOut:
    """A file that is passed over.

    Attributes:
        path: The file.
        why: The reason, one for all files of its kind.
    """

    path: Path
    why: str

    @property
    def key(self) -> Path:
        """The file, however it was named."""
        return self.path.resolve()


def is_picture(path: Path) -> bool:
    """Whether a folder's file is taken as a picture."""
    return path.suffix.lower() in SUFFIXES


def is_video(path: Path) -> bool:
    """Whether a file is taken as a video, where it is named or matches a pattern."""
    return path.suffix.lower() in VIDEOS


def of_a_folder(path: Path) -> LeftOut:
    """A folder's file that is not taken as a picture."""
    return LeftOut(path, _VIDEO if is_video(path) else _OTHER)


def told(left_out: Iterable[LeftOut]) -> str:
    """Count files by their suffixes: ``3 .heic (not pictures that can be read); 1 .mp4 (...)``.

    Returns:
        One line; empty where nothing was left out.
    """
    kinds: dict[str, Counter[str]] = {}
    for one in left_out:
        suffix = one.path.suffix.lower() or "without a suffix"
        kinds.setdefault(one.why, Counter())[suffix] += 1
    return "; ".join(f"{_counts(suffixes)} ({why})" for why, suffixes in sorted(kinds.items()))


def _counts(suffixes: Counter[str]) -> str:
    ordered = sorted(suffixes.items(), key=lambda one: (-one[1], one[0]))
    parts = [f"{number} {suffix}" for suffix, number in ordered[:_KINDS]]
    if rest := sum(number for _, number in ordered[_KINDS:]):
        parts.append(f"{rest} of other kinds")
    return ", ".join(parts)
