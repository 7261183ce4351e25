"""Predictions drawn over pictures, with a legend beside them."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmfastervit.palettes import Colour, is_background

from .results import Detections, Prediction, Segmentation

_SMALL = 640  # pixels; pictures with shorter sides are enlarged, so that text fits in
_MOST_TIMES = 8
_MASK_SHARE, _MAP_SHARE = 0.45, 0.55  # of a colour, over the picture
_MOST_ENTRIES = 24  # of a legend
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def draw(picture: np.ndarray, prediction: Prediction, counted: bool = True) -> np.ndarray:
    """Draw a prediction over a picture.

    Boxes and masks have their class's colour; a label with class and score stands where it covers
    no other, the surest first. Small pictures are enlarged by a whole number. The legend is a strip
    below the picture and covers nothing.

    Args:
        picture: uint8 (H, W, 3), red first.
        prediction: Of this picture.
        counted: Whether the legend tells how many or how much there is of each class that was
            found. Otherwise it lists all classes, so that the frames of a video have one size.

    Returns:
        uint8 (H', W', 3), red first.
    """
    height, width = picture.shape[:2]
    times = enlarged_by(height, width)
    canvas = cv2.resize(
        picture, (width * times, height * times), interpolation=cv2.INTER_CUBIC
    ) if times > 1 else picture.copy()  # fmt: skip
    size = _text_size(canvas.shape)
    if isinstance(prediction, Detections):
        canvas = _with_objects(canvas, prediction, times, size)
        entries = _counts(prediction, counted)
    else:
        canvas = _with_map(canvas, prediction, times)
        entries = _shares(prediction, counted)
    return _with_legend(canvas, entries, size)


def enlarged_by(height: int, width: int) -> int:
    """How many times as large :func:`draw` draws a picture of this size.

    The drawn picture is at its upper left. It may be wider than the picture, where the legend is.
    """
    return min(_MOST_TIMES, max(1, -(-_SMALL // max(height, width))))


def _text_size(shape: Sequence[int]) -> int:
    """Height of text in pixels, so that it can be read when the whole picture is looked at."""
    return int(np.clip(round(max(shape[:2]) * 0.018), 13, 64))


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib and has Latin, Greek and Cyrillic letters."""
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), size
    )


def _text_box(text: str, size: int) -> tuple[int, int]:
    """Width and height of a label."""
    return round(_font(size).getlength(text)) + size // 2, round(size * 1.3)


def _on(colour: Colour) -> Colour:
    """Black or white, whichever reads better on a colour."""
    red, green, blue = colour
    return _BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 110 else _WHITE


def _with_objects(canvas: np.ndarray, found: Detections, times: int, size: int) -> np.ndarray:
    boxes = found.boxes * times
    width = _line_width(canvas.shape, boxes)
    colours = [_seen(found.palette[label]) for label in found.labels]
    if found.masks is not None:
        bare = canvas.copy()  # tints are of the picture itself: where masks overlap it still shows
        for mask, colour in reversed(list(zip(found.masks, colours, strict=True))):
            _blend_mask(canvas, bare, mask, colour, times, max(1, width - 1))
    image = Image.fromarray(canvas)
    pen = ImageDraw.Draw(image)
    for box, colour in reversed(list(zip(boxes.tolist(), colours, strict=True))):
        _outline(pen, box, colour, width)
    _write_labels(pen, found, boxes, colours, size, canvas.shape)
    return np.asarray(image)


def _seen(colour: Colour) -> Colour:
    """A colour for what lies over a picture: black, as of background, would not be seen."""
    return colour if max(colour) > 60 else (160, 160, 160)


def _line_width(shape: Sequence[int], boxes: np.ndarray) -> int:
    """Thicker in larger pictures, and thin where objects are small."""
    width = max(shape[:2]) / 350
    if len(boxes):
        sides = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        width = min(width, float(np.median(sides)) / 14)
    return max(1, round(width))


def _outline(pen: ImageDraw.ImageDraw, box: Sequence[float], colour: Colour, width: int) -> None:
    left, top, right, bottom = (round(side) for side in box)
    if right > left and bottom > top:
        pen.rectangle((left, top, right, bottom), outline=colour, width=width)


def _blend_mask(
    canvas: np.ndarray, bare: np.ndarray, mask: np.ndarray, colour: Colour, times: int, width: int
) -> None:
    """Tint what is inside a mask and draw its outline, looking at its surroundings alone."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    part = mask[top:bottom, left:right].astype(np.uint8)
    if times > 1:
        part = part.repeat(times, axis=0).repeat(times, axis=1)
    place = np.s_[top * times : bottom * times, left * times : right * times]
    tint = np.full_like(canvas[place], colour)
    mixed = cv2.addWeighted(bare[place], 1 - _MASK_SHARE, tint, _MASK_SHARE, 0)
    np.copyto(canvas[place], mixed, where=part.astype(bool)[:, :, None])
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    offset = (int(left * times), int(top * times))
    cv2.drawContours(canvas, outlines, -1, colour, width, offset=offset)


def _write_labels(
    pen: ImageDraw.ImageDraw,
    found: Detections,
    boxes: np.ndarray,
    colours: Sequence[Colour],
    size: int,
    shape: Sequence[int],
) -> None:
    """Write each label where it covers no other: above its box, inside it, or below; or nowhere."""
    taken = np.zeros((0, 4))
    alone = len(set(found.labels.tolist())) == 1 and len(found) > 20  # the legend has the class
    for name, score, box, colour in zip(found.names, found.scores, boxes, colours, strict=True):
        text = f"{score:.2f}" if alone else f"{name} {score:.2f}"
        place = _free_place(box, _text_box(text, size), taken, shape)
        if place is None:
            continue
        taken = np.vstack([taken, place])
        left, top, right, bottom = place
        pen.rectangle((left, top, right, bottom), fill=colour)
        middle = (left + size // 4, (top + bottom) / 2)
        pen.text(middle, text, fill=_on(colour), font=_font(size), anchor="lm")


def _free_place(
    box: np.ndarray, text: tuple[int, int], taken: np.ndarray, shape: Sequence[int]
) -> tuple[float, float, float, float] | None:
    width, height = text
    left = float(np.clip(box[0], 0, max(0, shape[1] - width)))
    for top in (box[1] - height, box[1], box[3], box[3] - height):
        if top < 0 or top + height > shape[0]:
            continue
        place = (round(left), round(float(top)), round(left) + width, round(float(top)) + height)
        if not _overlap(place, taken):
            return place
    return None


def _overlap(place: Sequence[float], taken: np.ndarray) -> float:
    """The largest area that a place has in common with one that is taken."""
    if not len(taken):
        return 0.0
    wide = np.minimum(taken[:, 2], place[2]) - np.maximum(taken[:, 0], place[0])
    high = np.minimum(taken[:, 3], place[3]) - np.maximum(taken[:, 1], place[1])
    return float((wide.clip(0) * high.clip(0)).max())


def _with_map(canvas: np.ndarray, found: Segmentation, times: int) -> np.ndarray:
    """Tint each pixel by its class; background and what was not asked for stay as they are."""
    last = len(found.classes)
    labels = np.minimum(found.labels, last)  # untold ones come last
    table = np.array([*found.palette, _BLACK], dtype=np.uint8)
    tinted = np.array([not is_background(name) for name in found.classes] + [False])
    colours, inside = np.take(table, labels, axis=0), np.take(tinted, labels)
    if times > 1:
        colours = colours.repeat(times, axis=0).repeat(times, axis=1)
        inside = inside.repeat(times, axis=0).repeat(times, axis=1)
    mixed = cv2.addWeighted(canvas, 1 - _MAP_SHARE, colours, _MAP_SHARE, 0)
    np.copyto(canvas, mixed, where=inside[:, :, None])
    return canvas


Entry = tuple[str, Colour]


def _counts(found: Detections, counted: bool) -> list[Entry]:
    """What the legend says of objects."""
    colours = [_seen(colour) for colour in found.palette]
    if not counted:
        return _cut(list(zip(found.classes, colours, strict=True)))
    numbers = np.bincount(found.labels, minlength=len(found.classes))
    order = np.argsort(-numbers, kind="stable")
    told = [(f"{found.classes[i]} ({numbers[i]})", colours[i]) for i in order if numbers[i]]
    return _cut(told) or [("nothing found", _WHITE)]


def _shares(found: Segmentation, counted: bool) -> list[Entry]:
    """What the legend says of a label map; background, which is not tinted, is in white."""
    colours = {
        name: _WHITE if is_background(name) else colour
        for name, colour in zip(found.classes, found.palette, strict=True)
    }
    if not counted:
        return _cut(list(colours.items()))
    return _cut([(f"{name} {share:.1%}", colours[name]) for name, share in found.shares().items()])


def _cut(entries: list[Entry]) -> list[Entry]:
    more = len(entries) - _MOST_ENTRIES
    return [*entries[:_MOST_ENTRIES], (f"and {more} more", _WHITE)] if more > 0 else entries


def _with_legend(canvas: np.ndarray, entries: Sequence[Entry], size: int) -> np.ndarray:
    """Put a strip with a legend below a picture, as wide as its longest entry at least."""
    widths = [_text_box(text, size)[0] + 2 * size for text, _ in entries]
    height, width = canvas.shape[:2]
    whole = max([width, *widths])
    rows: list[list[tuple[Entry, int]]] = [[]]
    used = 0
    for entry, wide in zip(entries, widths, strict=True):
        if rows[-1] and used + wide > whole:
            rows.append([])
            used = 0
        rows[-1].append((entry, used))
        used += wide
    row = round(size * 1.6)
    image = Image.new("RGB", (whole, height + row * len(rows) + size // 2), _WHITE)
    image.paste(Image.fromarray(canvas), (0, 0))
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(rows):
        middle = height + size // 4 + round(row * (number + 0.5))
        for (text, colour), left in line:
            corner = (left + size // 4, middle - size // 2)
            pen.rectangle(
                (*corner, corner[0] + size, corner[1] + size), fill=colour, outline=_BLACK
            )
            spot = (corner[0] + round(size * 1.4), middle)
            pen.text(spot, text, fill=_BLACK, font=_font(size), anchor="lm")
    return np.asarray(image)
