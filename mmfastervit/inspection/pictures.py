"""Opening pictures as a run does: are they whole, how large, and turned by their EXIF data?"""

import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import mmcv
import numpy as np
from PIL import Image, UnidentifiedImageError

from mmfastervit.pixels import dropped

from .findings import Finding, some

_ENDS = (b"\xff\xd9", b"IEND\xaeB`\x82")  # of a whole JPEG and a whole PNG
_ORIENTATION = 274  # EXIF's number of this entry
QUARTER_TURNS = (5, 6, 7, 8)  # orientations that swap width and height
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".jp2")

Item = TypeVar("Item")
Result = TypeVar("Result")
Track = Callable[[Iterable[Any], int, str], Iterable[Any]]


class Unreadable(ValueError):
    """A picture that the run could not read, or only in part; the message says why."""


@dataclass(frozen=True)
class Opening:
    """Which files are opened, of those that a data set has.

    Attributes:
        sample: How many of each data set; None for all.
        seed: Chooses them.
        track: Gets an iterable, its length and what it is of, and returns it, showing progress.
    """

    sample: int | None = 64
    seed: int = 0
    track: Track = lambda items, length, what: items

    def chosen(self, items: Sequence[Item]) -> list[Item]:
        """The items to open, in their order."""
        if self.sample is None or self.sample >= len(items):
            return list(items)
        rows = random.Random(self.seed).sample(range(len(items)), self.sample)
        return [items[row] for row in sorted(rows)]

    def each(
        self, function: Callable[[Item], Result], items: Sequence[Item], what: str
    ) -> Iterator[Result]:
        """Call a function for each item, in threads: what decodes pictures lets others run."""
        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            yield from self.track(pool.map(function, items), len(items), what)

    def told(self, total: int) -> str:
        """How many of ``total`` files are opened, in words."""
        if self.sample is None or self.sample >= total:
            return f"all {total}"
        return f"{self.sample} of {total} (seed {self.seed})"


@dataclass(frozen=True)
class Decoding:
    """How a run decodes a kind of file.

    Attributes:
        flag: What mmcv makes of it: ``"color"``, ``"unchanged"``, ...
        backend: By which library; None for mmcv's own choice.
    """

    flag: str = "color"
    backend: str | None = "cv2"


@dataclass(frozen=True)
class Picture:
    """What is told of a picture that was read.

    Attributes:
        size: Width and height in pixels, as the run gets them.
        orientation: EXIF's number: 1 for upright, 5 to 8 for a quarter turn.
        is_jpeg: Whether the file is a JPEG, whatever its name.
        dropped: The depth and channels of the file, where a run loads fewer; '' otherwise.
    """

    size: tuple[int, int]
    orientation: int
    is_jpeg: bool
    dropped: str = ""


def decode(path: Path, decoding: Decoding) -> tuple[np.ndarray, Picture]:
    """Read a file as the run will.

    Returns:
        Its pixels (H, W) or (H, W, channels), and what is told of them.

    Raises:
        Unreadable: The run would get no picture, or one that is filled up with grey.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"can't be read ({error.strerror})") from error
    if not content:
        raise Unreadable("is empty")
    try:
        array = mmcv.imfrombytes(content, flag=decoding.flag, backend=decoding.backend)
    except Exception as error:  # decoders raise anything at broken bytes
        raise Unreadable(f"is no picture that can be decoded ({_line(error)})") from error
    orientation = _look_inside(content)
    if array is None or array.ndim < 2:
        raise Unreadable("is no picture that can be decoded")
    size = array.shape[1], array.shape[0]
    lost = dropped(content, array) if decoding.flag.startswith("color") else ""  # grey is asked for
    return array, Picture(size, orientation, content.startswith(b"\xff\xd8"), lost)


def try_picture(path: Path, decoding: Decoding) -> Picture | str:
    """What is told of a picture, or why it can't be read."""
    try:
        return decode(path, decoding)[1]
    except Unreadable as error:
        return str(error)


def _line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text and "BytesIO" not in text[0] else type(error).__name__


def _look_inside(content: bytes) -> int:
    """EXIF's orientation.

    Raises:
        Unreadable: The file is cut; OpenCV fills up what is missing and says nothing.
    """
    try:
        image = Image.open(BytesIO(content))
        orientation = image.getexif().get(_ORIENTATION, 1)
        if not content.rstrip(b"\0\r\n").endswith(_ENDS):
            image.load()
    except UnidentifiedImageError:
        return 1  # a format that the run's library knows and Pillow doesn't
    except (OSError, SyntaxError) as error:
        if "truncated" in str(error):
            raise Unreadable("is cut: it ends in the middle of the picture") from error
        return 1
    except Exception:  # broken EXIF data raise anything; the run reads the picture all the same
        return 1
    return orientation if isinstance(orientation, int) else 1


def mismatch(stated: tuple[float, float], picture: Picture) -> str:
    """How a stated width and height differ from a picture's: ``""`` if they don't.

    ``"turned"``: its EXIF data turn it by a quarter, and what was stated is from before that;
    ``"swapped"``: width and height are the other way round; ``"other"``.
    """
    if stated == picture.size:
        return ""
    if stated == picture.size[::-1]:
        return "turned" if picture.orientation in QUARTER_TURNS else "swapped"
    return "other"


def may_be_turned(picture: Picture) -> bool:
    """Whether EXIF data turn or mirror it, so that a label of its size may not fit all the same."""
    square = picture.size[0] == picture.size[1]
    return picture.orientation in (2, 3, 4) or (square and picture.orientation in QUARTER_TURNS)


def remark_dropped(place: str, pictures: Iterable[tuple[Path, Picture]]) -> Iterator[Finding]:
    """A remark on pictures of which the loader drops depth or channels."""
    lost = [(path, picture) for path, picture in pictures if picture.dropped]
    if lost:
        yield Finding(
            place,
            "loaded as 8 bits and 3 channels, of more in the file; "
            "LoadImageFromFile(color_type='unchanged') keeps them (docs/own-data.md)",
            subject="image",
            count=len(lost),
            examples=some(f"{path}: {picture.dropped}" for path, picture in lost),
            is_fault=False,
        )
