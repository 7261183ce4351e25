"""What a user names as input: pictures, folders, patterns, lists, videos, a camera, a pipe."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from .entries import Entry, apart
from .left_out import RESULT, LeftOut, told
from .pictures import Unreadable
from .videos import USUAL_RATE, count_frames, frames
from .words import named

_TOLD = 3  # faults, where there is nothing else


@dataclass(frozen=True)
class Item:
    """One picture to predict on.

    Attributes:
        stem: Where what is written of it goes, below the folder of its kind, without a suffix.
        told: What to call it: its path, or a frame of a video.
        picture: A path, bytes, or an array with blue first.
        frame: Its number in a video, from 0 on; None of a picture.
        rate: Frames a second of its video.
        fault: Why there is no picture.
    """

    stem: str
    told: str
    picture: Any = field(repr=False)
    frame: int | None = None
    rate: float = USUAL_RATE
    fault: str = ""


@dataclass(frozen=True)
class Found:
    """What a user named.

    Attributes:
        entries: Pictures and videos, each with a place of its own for what is written; and what
            lists name and is not there, with the fault.
        left_out: One line on the files that were passed over, and why; empty where none was.
    """

    entries: list[Entry]
    left_out: str


def find_inputs(words: Sequence[str], stdin: BinaryIO, results: Sequence[Path] = ()) -> Found:
    """List what a user names, in that order; what is named twice is taken once.

    Args:
        words: Each a picture's or a video's file; a folder, whose pictures are taken at any depth;
            a pattern with ``*``, ``?`` or ``**``; a list of files and folders, one a line, as
            ``@FILE`` or ``FILE.txt``; ``camera:0``; or ``-`` for what is piped in: a picture, or a
            list. Beside other words, ``FILE.txt`` is a list if it names a file that is there:
            ``photos/*`` of a shell may bring files of labels along, which are left out.
        stdin: What is piped in.
        results: Files and folders that results are written to; what lies there is left out.

    Raises:
        FileNotFoundError: There is no such file, nothing in it, or nothing of all to predict on.
        ValueError: It is a file of another kind.
    """
    written = [path.resolve() for path in results]
    found: dict[Any, Entry] = {}
    passed: dict[Path, LeftOut] = {}
    for word in words:
        for one in named(word, stdin, alone=len(words) == 1):
            key = one.key
            if isinstance(key, Path) and any(map(key.is_relative_to, written)):
                passed.setdefault(key, LeftOut(key, RESULT))
            elif isinstance(one, LeftOut):
                passed.setdefault(key, one)
            else:
                found.setdefault(key, one)
    entries = apart(list(found.values()))
    left_out = told(one for path, one in passed.items() if path not in found)
    if all(entry.fault for entry in entries):
        raise FileNotFoundError(_nothing(entries, left_out))
    return Found(entries, left_out)


def count(entries: Iterable[Entry]) -> int | None:
    """How many pictures there are; None where a camera or a video does not tell before its end.

    What videos tell may be a few frames off.
    """
    whole = 0
    for entry in entries:
        number: int | None = 1
        if entry.is_video and not entry.fault:
            number = count_frames(entry.video)
        if number is None:
            return None
        whole += number
    return whole


def items(entries: Iterable[Entry]) -> Iterator[Item]:
    """Every picture, and every frame of each video, as they are asked for."""
    for entry in entries:
        if entry.fault or not entry.is_video:
            yield Item(entry.stem, entry.told, entry.source, fault=entry.fault)
            continue
        try:
            for number, (frame, rate) in enumerate(frames(entry.video)):
                yield Item(entry.stem, f"{entry.told}, frame {number}", frame, number, rate)
        except Unreadable as error:
            yield Item(entry.stem, entry.told, None, fault=str(error))


def _nothing(faulty: Sequence[Entry], left_out: str) -> str:
    """What to say where there is nothing to predict on."""
    faults = [f"{entry.told}: {entry.fault}" for entry in faulty]
    if len(faults) > _TOLD:
        faults[_TOLD:] = [f"and {len(faults) - _TOLD} more"]
    reasons = [*faults, f"left out: {left_out}"] if left_out else faults
    return "there is nothing to predict on; " + "; ".join(reasons)
