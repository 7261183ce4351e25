"""What one word of a command line names: a file, a folder, a pattern, a list, a camera, a pipe."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .entries import CAMERA, Entry
from .left_out import NO_LIST, LeftOut, is_picture, is_video, of_a_folder, told
from .pictures import SUFFIXES, begins_as_picture

STDIN = "-"
_LISTS = ".txt"
_LIST_ENCODING = "utf-8-sig"  # with or without the mark that editors on Windows put first


def named(word: str, stdin: BinaryIO, alone: bool) -> Iterator[Entry | LeftOut]:
    """What one word names, each with the stem that it would like to have.

    Args:
        word: As of :func:`~mmfastervit.inference.inputs.find_inputs`.
        stdin: What is piped in.
        alone: Whether there is no other word.

    Raises:
        FileNotFoundError: There is no such file, or nothing in it.
        ValueError: It is a file of another kind.
    """
    path = Path(word).expanduser()
    if word == STDIN:
        yield from _piped(stdin.read())
    elif word.startswith(CAMERA):
        number = word.removeprefix(CAMERA)
        if not number.isdecimal():
            raise ValueError(f"{word}: a camera is named by its number, as {CAMERA}0")
        yield Entry(word, f"camera-{int(number)}")
    elif word.startswith("@"):
        yield from _listed(Path(word[1:]).expanduser())
    elif path.is_dir():
        yield from _inside(path)
    elif path.is_file():
        yield from _of_file(path, alone)
    elif glob.has_magic(word):
        yield from _matching(word, str(path))
    else:
        raise FileNotFoundError(f"there is no picture, video, folder or list {word}")


def _of_file(path: Path, alone: bool) -> Iterator[Entry | LeftOut]:
    if path.suffix.lower() != _LISTS:
        yield _file(path)
    elif alone or _is_list(path):
        yield from _listed(path)
    else:
        yield LeftOut(path, NO_LIST)


def _matching(word: str, pattern: str) -> Iterator[Entry | LeftOut]:
    matches = map(Path, sorted(glob.glob(pattern, recursive=True)))
    files = [path for path in matches if path.is_file()]
    if not any(is_picture(path) or is_video(path) for path in files):
        others = told(map(of_a_folder, files))
        raise FileNotFoundError(
            f"no picture or video matches {word}" + (f", but {others}" if others else "")
        )
    for path in files:
        yield _file(path) if is_picture(path) or is_video(path) else of_a_folder(path)


def _piped(content: bytes) -> Iterator[Entry | LeftOut]:
    if not content:
        raise ValueError("nothing came by the pipe: it takes a picture, or a list of paths")
    if begins_as_picture(content):
        yield Entry(content, "stdin")
        return
    try:
        text = content.decode(_LIST_ENCODING)
    except UnicodeDecodeError as error:
        raise ValueError(
            "what came by the pipe is neither a picture nor a list of paths, one a line"
        ) from error
    yield from _lines(text, "the pipe")


def _is_list(path: Path) -> bool:
    """Whether a line names a file that is there."""
    try:
        text = path.read_text(encoding=_LIST_ENCODING)
    except (OSError, UnicodeDecodeError):
        return False
    return any(os.path.isfile(line) for _, line in _paths(text))


def _listed(path: Path) -> Iterator[Entry | LeftOut]:
    try:
        text = path.read_text(encoding=_LIST_ENCODING)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} can't be read as a list of paths in UTF-8 ({error})") from error
    yield from _lines(text, str(path))


def _paths(text: str) -> list[tuple[int, str]]:
    """The lines of a list that are not blank, with their numbers."""
    lines = enumerate(text.splitlines(), start=1)
    return [(number, os.path.expanduser(line.strip())) for number, line in lines if line.strip()]


def _lines(text: str, name: str) -> Iterator[Entry | LeftOut]:
    """The files and folders of a list; what is not there has a fault, and the rest goes on."""
    paths = _paths(text)
    if not paths:
        raise ValueError(f"{name} is an empty list")
    for number, line in paths:
        path = Path(line)
        if os.path.isfile(line):  # of a line that can't be a path, pathlib's own raises
            yield _file(path)
        elif os.path.isdir(line):
            try:
                yield from _inside(path)
            except FileNotFoundError as error:
                yield Entry(path, path.name, fault=str(error))
        else:
            fault = (
                f"there is no such file or folder (line {number} of {name}; paths in lists are "
                f"from the working directory on, {os.getcwd()})"
            )
            yield Entry(path, path.stem, fault=fault)


def _inside(folder: Path) -> Iterator[Entry | LeftOut]:
    """The pictures of a folder at any depth; what is hidden, or lies in a hidden folder, is not."""
    below = [(path, path.relative_to(folder)) for path in sorted(folder.rglob("*"))]
    files = [
        (path, place)
        for path, place in below
        if not any(part.startswith(".") for part in place.parts) and path.is_file()
    ]
    if not any(is_picture(path) for path, _ in files):
        others = told(of_a_folder(path) for path, _ in files)
        raise FileNotFoundError(
            f"there are no pictures in {folder}, of {', '.join(SUFFIXES)}"
            + (f"; it holds {others}" if others else "")
        )
    for path, place in files:
        if is_picture(path):
            yield Entry(path, place.with_suffix("").as_posix())
        else:
            yield of_a_folder(path)


def _file(path: Path) -> Entry:
    """A file that was named itself: whatever its suffix, it is tried as a picture."""
    return Entry(path, path.stem)
