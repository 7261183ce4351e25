"""Pictures with their labels beside what was predicted."""

from collections.abc import Sequence
from dataclasses import dataclass

import mmcv
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from . import colours
from .maps import MapPicture
from .matching import Kind, Sorting

_WIDTH, _HEIGHT = 620, 620  # pixels that a picture is shrunk to fit in; small ones are enlarged
_LETTERS = 13
_FEW = 10  # boxes up to which right ones are named as well

KIND_COLOURS = {
    Kind.FOUND: colours.GREEN,
    Kind.MISSED: colours.VERMILION,
    Kind.DOUBLE: colours.SKY,
    Kind.CLASS: colours.PURPLE,
    Kind.PLACE: colours.ORANGE,
    Kind.BOTH: colours.YELLOW,
    Kind.BACKGROUND: colours.BLUE,
    Kind.IGNORED: "#9AA0A6",
}


@dataclass(frozen=True)
class _Mark:
    """A box to draw: x1, y1, x2, y2 in pixels of the file, its kind and its words."""

    box: np.ndarray
    kind: Kind
    words: str


def open_picture(path: str) -> np.ndarray | None:
    """A picture as a run reads it, (H, W, 3) RGB of 8 bits; None where OpenCV can't."""
    try:
        return mmcv.imread(path, channel_order="rgb")
    except (OSError, TypeError, ValueError, mmcv.image.io.cv2.error):
        return None


def paint_boxes(sorting: Sorting, names: Sequence[str]) -> tuple[Image.Image, Image.Image]:
    """The labelled boxes of a picture, and the predicted ones, each in the colour of its kind.

    Raises:
        OSError: The picture can't be opened.
    """
    image = _opened(sorting.picture.path)
    picture = sorting.picture
    labelled = [
        _Mark(box, kind, f"{names[label]}{_told(kind)}")
        for box, kind, label in zip(
            picture.truth, sorting.truth_kinds, picture.truth_labels, strict=True
        )
    ]
    predicted = [
        _Mark(box, kind, f"{names[label]} {score:.2f}{_told(kind)}")
        for box, kind, label, score in zip(
            picture.boxes, sorting.kinds, picture.labels, picture.scores, strict=True
        )
    ]
    return _marked(image, labelled), _marked(image, predicted)


def paint_maps(
    picture: MapPicture, palette: Sequence[Sequence[int]]
) -> tuple[Image.Image, Image.Image, Image.Image]:
    """A picture under its labels, under its prediction, and with what is wrong in vermilion.

    Args:
        picture: What is drawn.
        palette: A colour of each class, as of :func:`mmfastervit.palettes.palette_for`.

    Raises:
        OSError: The picture can't be opened.
    """
    image = _opened(picture.path)
    height, width = picture.truth.shape
    ground = np.asarray(Image.fromarray(image).resize((width, height)), dtype=float)
    table = np.array([*palette, [0, 0, 0]], dtype=float)
    known = (picture.truth >= 0) & (picture.truth < len(palette))
    layers = [
        0.45 * ground + 0.55 * table[np.where(known, picture.truth, len(palette))],
        0.45 * ground + 0.55 * table[picture.predicted],
    ]
    pale = ground.mean(axis=2, keepdims=True) * 0.6 + 90
    wrong = (known & (picture.truth != picture.predicted))[..., None]
    vermilion = np.array(_rgb(colours.VERMILION), dtype=float)
    layers.append(np.where(wrong, 0.25 * pale + 0.75 * vermilion, pale))
    labelled, predicted, apart = (
        Image.fromarray(np.clip(layer, 0, 255).astype(np.uint8)) for layer in layers
    )
    return _fitted(labelled)[0], _fitted(predicted)[0], _fitted(apart)[0]


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def _told(kind: Kind) -> str:
    return "" if kind is Kind.FOUND else f" · {kind.value}"


def _opened(path: str) -> np.ndarray:
    image = open_picture(path)
    if image is None:
        raise OSError(f"{path} can't be opened as a picture of three channels")
    return image


def _fitted(image: Image.Image) -> tuple[Image.Image, float]:
    """The picture at the size of the report, and by how much it was enlarged."""
    scale = min(_WIDTH / image.width, _HEIGHT / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(
        size, Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.BOX
    ), scale


def _marked(pixels: np.ndarray, marks: Sequence[_Mark]) -> Image.Image:
    """The picture with boxes; right ones thin and first, so that errors lie on top."""
    image, scale = _fitted(Image.fromarray(pixels))
    draw = ImageDraw.Draw(image)
    ordered = sorted(marks, key=lambda mark: mark.kind is not Kind.FOUND)
    for mark in ordered:
        corners = tuple(float(value) for value in np.clip(mark.box * scale, -1e5, 1e5))
        x1, y1, x2, y2 = corners
        box = (x1, y1, max(x1, x2), max(y1, y2))
        thin = mark.kind is Kind.FOUND
        draw.rectangle(box, outline="#000000", width=4 if thin else 5)
        inside = (box[0] + 1, box[1] + 1, max(box[0] + 1, box[2] - 1), max(box[1] + 1, box[3] - 1))
        draw.rectangle(inside, outline=KIND_COLOURS[mark.kind], width=2 if thin else 3)
    named = [
        mark for mark in reversed(ordered) if mark.kind is not Kind.FOUND or len(marks) <= _FEW
    ]
    _write(draw, image.size, named, scale)
    return image


def _write(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], marks: Sequence[_Mark], scale: float
) -> None:
    """Write the words of boxes where there is room; a box without room keeps its colour."""
    font = ImageFont.load_default(size=_LETTERS)
    written: list[tuple[float, float, float, float]] = []
    for mark in marks:
        left, top, right, bottom = draw.textbbox((0, 0), mark.words, font=font)
        width, height = right - left + 6, bottom - top + 5
        for x, y in _places(mark.box * scale, width, height):
            x = min(max(x, 0), max(0, size[0] - width))
            place = (x, y, x + width, y + height)
            if y < 0 or place[3] > size[1] or any(_touch(place, other) for other in written):
                continue
            colour = KIND_COLOURS[mark.kind]
            draw.rectangle(place, fill=colour)
            ink = "#FFFFFF" if sum(_rgb(colour)) < 330 else "#000000"
            draw.text((x + 3 - left, y + 2 - top), mark.words, fill=ink, font=font)
            written.append(place)
            break


def _places(box: np.ndarray, width: float, height: float) -> list[tuple[float, float]]:
    """Where words may stand, best place first: above, below, inside at the top, at the bottom."""
    x1, y1, x2, y2 = box
    rows = (y1 - height, y2, y1, y2 - height)
    return [(x, y) for y in rows for x in (x1, x2 - width)]


def _touch(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
