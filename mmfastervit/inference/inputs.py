"""What a user names as input: pictures, folders, patterns, lists, videos, a camera, a pipe."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import cv2
import numpy as np

from .pictures import SUFFIXES, Unreadable, begins_as_picture

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")
CAMERA = "camera:"
STDIN = "-"
_LISTS = ".txt"
_USUAL_RATE = 25.0  # pictures a second, where a video does not tell


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
    rate: float = _USUAL_RATE
    fault: str = ""


@dataclass(frozen=True)
class Entry:
    """A picture or a video that a user named, or that a folder, pattern or list holds.

    Attributes:
        source: A path, ``camera:0``, or the bytes of a picture.
        stem: As of :class:`Item`.
    """

    source: Path | str | bytes = field(repr=False)
    stem: str

    @property
    def is_video(self) -> bool:
        """Whether it is many pictures."""
        return isinstance(self.source, str) or (
            isinstance(self.source, Path) and self.source.suffix.lower() in VIDEOS
        )

    @property
    def is_endless(self) -> bool:
        """Whether it ends when the user does."""
        return isinstance(self.source, str)


def find_inputs(words: Sequence[str], stdin: BinaryIO) -> list[Entry]:
    """List what a user names, in that order; what is named twice is taken once.

    Args:
        words: Each a picture's or a video's file; a folder, whose pictures are taken at any depth;
            a pattern with ``*``, ``?`` or ``**``; a list of such, one a line, as ``FILE.txt`` or
            ``@FILE``; ``camera:0``; or ``-`` for what is piped in: a picture, or a list.
        stdin: What is piped in.

    Returns:
        Pictures and videos, each with a place of its own for what is written.

    Raises:
        FileNotFoundError: There is no such file, or nothing in it.
        ValueError: It is a file of another kind.
    """
    found: dict[Any, tuple[Path | str | bytes, str]] = {}
    for word in words:
        for source, stem in _named(word, stdin):
            key = source.resolve() if isinstance(source, Path) else source
            found.setdefault(key, (source, stem))
    return _apart([Entry(source, stem) for source, stem in found.values()])


def count(entries: Sequence[Entry]) -> int | None:
    """How many pictures there are; None where a video or a camera does not tell before its end."""
    return None if any(entry.is_video for entry in entries) else len(entries)


def items(entries: Iterable[Entry]) -> Iterator[Item]:
    """Every picture, and every frame of each video, as they are asked for."""
    for entry in entries:
        if not entry.is_video:
            told = "standard input" if isinstance(entry.source, bytes) else str(entry.source)
            yield Item(entry.stem, told, entry.source)
            continue
        try:
            yield from _frames(entry)
        except Unreadable as error:
            yield Item(entry.stem, str(entry.source), None, fault=str(error))


def _named(word: str, stdin: BinaryIO) -> Iterator[tuple[Path | str | bytes, str]]:
    """What one word names, each with the stem that it would like to have."""
    path = Path(word).expanduser()
    if word == STDIN:
        yield from _piped(stdin.read())
    elif word.startswith(CAMERA):
        number = word.removeprefix(CAMERA)
        if not number.isdecimal():
            raise ValueError(f"{word}: a camera is named by its number, as {CAMERA}0")
        yield word, f"camera-{int(number)}"
    elif word.startswith("@"):
        yield from _listed(Path(word[1:]).expanduser())
    elif path.is_dir():
        yield from _inside(path)
    elif path.is_file():
        yield from _listed(path) if path.suffix.lower() == _LISTS else [_file(path)]
    elif glob.has_magic(word):
        matches = sorted(glob.glob(str(path), recursive=True))
        files = [Path(match) for match in matches if _is_kind(Path(match))]
        if not files:
            raise FileNotFoundError(f"no picture or video matches {word}")
        yield from map(_file, files)
    else:
        raise FileNotFoundError(f"there is no picture, video, folder or list {word}")


def _piped(content: bytes) -> Iterator[tuple[Path | str | bytes, str]]:
    if not content:
        raise ValueError("nothing came by the pipe: it takes a picture, or a list of paths")
    if begins_as_picture(content):
        yield content, "stdin"
        return
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            "what came by the pipe is neither a picture nor a list of paths, one a line"
        ) from error
    yield from _lines(text, "the pipe")


def _listed(path: Path) -> Iterator[tuple[Path | str | bytes, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} can't be read as a list of paths ({error})") from error
    yield from _lines(text, str(path))


def _lines(text: str, told: str) -> Iterator[tuple[Path | str | bytes, str]]:
    """The files of a list; paths are from the working directory on."""
    paths = [Path(line.strip()).expanduser() for line in text.splitlines() if line.strip()]
    if not paths:
        raise ValueError(f"{told} is an empty list")
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise FileNotFoundError(
            f"{told}: there is no file {', '.join(missing[:3])}{more} (paths in lists are from the "
            f"working directory on, {os.getcwd()})"
        )
    yield from map(_file, paths)


def _inside(folder: Path) -> Iterator[tuple[Path, str]]:
    """The pictures of a folder at any depth; hidden files and videos are left out."""
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    ]
    if not files:
        raise FileNotFoundError(f"there are no pictures in {folder}, of {', '.join(SUFFIXES)}")
    for path in files:
        yield path, path.relative_to(folder).with_suffix("").as_posix()


def _is_kind(path: Path) -> bool:
    return path.suffix.lower() in (*SUFFIXES, *VIDEOS) and path.is_file()


def _file(path: Path) -> tuple[Path, str]:
    """A file that was named itself: whatever its suffix, it is tried as a picture."""
    return path, path.stem


def _apart(entries: list[Entry]) -> list[Entry]:
    """Give those of equal stems longer ones: first more folders of the path, then the suffix."""
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


def _frames(entry: Entry) -> Iterator[Item]:
    source: Any = entry.source
    name = int(source.removeprefix(CAMERA)) if entry.is_endless else str(source)
    video = cv2.VideoCapture(name)
    try:
        if not video.isOpened():
            raise Unreadable(
                "there is no such camera, or another program has it"
                if entry.is_endless
                else "it is no video that OpenCV can read"
            )
        rate = video.get(cv2.CAP_PROP_FPS)
        rate = rate if 0 < rate < 1000 else _USUAL_RATE
        number = 0
        while (found := video.read())[0]:
            frame: np.ndarray = found[1]
            yield Item(entry.stem, f"{source}, frame {number}", frame, number, rate)
            number += 1
        if number == 0:
            raise Unreadable("it has no picture that OpenCV can read")
    finally:
        video.release()
