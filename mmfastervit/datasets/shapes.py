"""A generated data set of textured shapes, for teaching a detector or a segmenter quickly.

An image shows some objects of three classes, of different sizes, partly hiding one another, over
a noisy background with clutter. The outline decides the class. To let a network learn in
minutes, a class also has a texture that it nearly always wears, in two tones that differ clearly;
colours tell nothing.

`write_dataset` stores the images once and labels them twice, in ADE20K's folder layout (semantic
maps) and as COCO instances::

    OUT/images/{training,validation}/000000.jpg
    OUT/annotations/{training,validation}/000000.png   0 background, 1..3 SHAPE_CLASSES
    OUT/instances_{train,val}.json                     file names relative to the images folder
    OUT/dataset.json                                   arguments and counts, written last
"""

from __future__ import annotations

import json
import logging
import math
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

logger = logging.getLogger(__name__)

SHAPE_CLASSES: tuple[str, ...] = ("circle", "square", "triangle")
#: One RGB colour per class, in the order of `SHAPE_CLASSES`, for drawing results.
SHAPE_PALETTE: tuple[tuple[int, int, int], ...] = (
    (230, 60, 60),
    (60, 130, 230),
    (60, 190, 90),
)

MIN_SIZE = 64  # px; a smaller image has no room for the smallest objects
OBJECTS_PER_IMAGE = (12, 20)
DIAMETER_RANGE = (0.11, 0.23)  # of the image side, of a circle as large as the object
MIN_VISIBLE_SHARE = 0.6
MIN_VISIBLE_PIXELS = 40
OWN_TEXTURE_SHARE = 0.95  # of the objects of a class; the others wear any texture

_FORMAT = "mmfastervit-shapes"
_FORMAT_VERSION = 2
_MANIFEST = "dataset.json"
_FOLDERS = {"train": "training", "val": "validation"}
_SUPERSAMPLING = 4
_PLACING_TRIES = 400
_MIN_CONTRAST = 25.0  # CIE Lab distance of an object's colours from what surrounds it
_MIN_TONE_STEP = 60.0  # CIE Lab lightness between an object's two colours
_COLOUR_TRIES = 32
_JPEG_QUALITY = 92


@dataclass(frozen=True)
class Scene:
    """A rendered image with its objects, in the order in which they were painted.

    `image` is RGB, (H, W, 3) uint8; `masks` are the visible parts, (H, W) bool, disjoint;
    `labels` index `SHAPE_CLASSES`.
    """

    image: np.ndarray
    masks: list[np.ndarray]
    labels: list[int]

    def semantic_map(self) -> np.ndarray:
        """(H, W) uint8: 0 for background, 1 + label for an object."""
        classes = np.zeros(self.image.shape[:2], np.uint8)
        for mask, label in zip(self.masks, self.labels, strict=True):
            classes[mask] = label + 1
        return classes


# --------------------------------------------------------------------------- outlines


def _regular_polygon(corners: int) -> np.ndarray:
    """(corners, 2) points on the unit circle, at equal angles."""
    angles = 2 * np.pi * np.arange(corners) / corners
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _of_unit_circle_area(outline: np.ndarray) -> np.ndarray:
    return outline * math.sqrt(math.pi / cv2.contourArea(outline.astype(np.float32)))


#: Corners of each class around the origin, (N, 2), in the order of `SHAPE_CLASSES`. All have the
#: area of the unit circle, so that no class is harder for being smaller.
_UNIT_OUTLINES = tuple(_of_unit_circle_area(_regular_polygon(corners)) for corners in (64, 4, 3))


@dataclass(frozen=True)
class _Placement:
    """An object's place: its class, the circle around it and its corners, (N, 2), in pixels."""

    label: int
    centre: np.ndarray
    radius: float
    outline: np.ndarray

    @property
    def area(self) -> float:
        """Pixels of the whole object, hidden and cut-off parts included."""
        return cv2.contourArea(self.outline.astype(np.float32))

    def window(self, size: int) -> tuple[slice, slice]:
        """The rows and columns of the image that hold the object and a margin around it."""
        margin = 4
        first = np.maximum(np.floor(self.centre - self.radius).astype(int) - margin, 0)
        last = np.minimum(np.ceil(self.centre + self.radius).astype(int) + margin, size)
        return slice(first[1], last[1]), slice(first[0], last[0])

    def coverage(self, window: tuple[slice, slice], stroke: float | None = None) -> np.ndarray:
        """The share of each of the window's pixels that is covered, float32 in [0, 1].

        With `stroke` (px) only the line along the outline is drawn.
        """
        rows, columns = window
        height, width = rows.stop - rows.start, columns.stop - columns.start
        canvas = np.zeros((height * _SUPERSAMPLING, width * _SUPERSAMPLING), np.uint8)
        fraction_bits = 4
        corners = (self.outline - (columns.start, rows.start)) * _SUPERSAMPLING - 0.5
        points = [np.round(corners * 2**fraction_bits).astype(np.int32)]
        if stroke is None:
            cv2.fillPoly(canvas, points, 255, shift=fraction_bits)
        else:
            thickness = max(1, round(stroke * _SUPERSAMPLING))
            cv2.polylines(canvas, points, True, 255, thickness, shift=fraction_bits)
        small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        return small.astype(np.float32) / 255


# --------------------------------------------------------------------------- placing


def _propose(rng: np.random.Generator, size: int, placed: list[_Placement]) -> _Placement:
    """A random object; two in five lie near an earlier object, so that some are hidden."""
    label = int(rng.integers(len(SHAPE_CLASSES)))
    low, high = DIAMETER_RANGE
    scale = size * math.exp(rng.uniform(math.log(low), math.log(high))) / 2
    outline = scale * _UNIT_OUTLINES[label]
    radius = float(np.linalg.norm(outline[0]))
    angle, direction = rng.uniform(0, 2 * np.pi, 2)
    centre = rng.uniform(0, size, 2)
    if placed and rng.random() < 0.4:
        anchor = placed[rng.integers(len(placed))]
        distance = (anchor.radius + radius) * rng.uniform(0.4, 0.9)
        centre = anchor.centre + distance * np.array([np.cos(direction), np.sin(direction)])
    centre = np.clip(centre, 0.7 * radius, size - 0.7 * radius)
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, sin], [-sin, cos]])
    return _Placement(label, centre, radius, outline @ rotation + centre)


def _all_visible(owner: np.ndarray, placed: list[_Placement]) -> bool:
    visible = np.bincount(owner[owner >= 0], minlength=len(placed))
    needed = [max(MIN_VISIBLE_PIXELS, MIN_VISIBLE_SHARE * place.area) for place in placed]
    return bool(np.all(visible >= needed))


def _place_objects(rng: np.random.Generator, size: int) -> tuple[list[_Placement], np.ndarray]:
    """Choose the objects before anything is painted, so that none has to be taken back.

    Returns the objects, bottom one first, and the index of the object seen at every pixel,
    (size, size) int64, -1 for background. An object that would be hidden too much, or would
    hide an earlier one too much, is dropped and another proposed.
    """
    wanted = rng.integers(OBJECTS_PER_IMAGE[0], OBJECTS_PER_IMAGE[1] + 1)
    placed: list[_Placement] = []
    owner = np.full((size, size), -1)
    for _ in range(_PLACING_TRIES):
        if len(placed) == wanted:
            break
        candidate = _propose(rng, size, placed)
        window = candidate.window(size)
        owner_then = owner.copy()
        owner_then[window][candidate.coverage(window) >= 0.5] = len(placed)
        if _all_visible(owner_then, [*placed, candidate]):
            placed.append(candidate)
            owner = owner_then
    return placed, owner


# --------------------------------------------------------------------------- textures


_Shape = tuple[int, int]  # rows and columns


def _grid(rng: np.random.Generator, shape: _Shape, period: float) -> tuple[np.ndarray, np.ndarray]:
    """Two perpendicular coordinates in units of `period` (px), at a random angle and phase."""
    angle = rng.uniform(0, np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    rows = np.arange(shape[0], dtype=np.float32)[:, None] / np.float32(period)
    columns = np.arange(shape[1], dtype=np.float32) / np.float32(period)
    phases = rng.random(2, dtype=np.float32)
    return cos * columns + sin * rows + phases[0], cos * rows - sin * columns + phases[1]


def _soft_square_wave(phase: np.ndarray) -> np.ndarray:
    """A wave of period 1 between -1 and 1 whose edges are soft enough not to alias."""
    return np.clip(2.5 * np.sin(2 * np.pi * phase), -1, 1)


def _ramp(rng: np.random.Generator, shape: _Shape) -> np.ndarray:
    """A slope from 0 to 1 in a random direction, float32."""
    angle = rng.uniform(0, 2 * np.pi)
    rows = np.linspace(-0.7, 0.7, shape[0], dtype=np.float32)[:, None]
    columns = np.linspace(-0.7, 0.7, shape[1], dtype=np.float32)
    slope = np.float32(np.cos(angle)) * columns + np.float32(np.sin(angle)) * rows
    return np.clip(0.5 + 0.5 * slope, 0, 1)


def _flat(rng: np.random.Generator, shape: _Shape, period: float) -> np.ndarray:
    return 0.3 * _ramp(rng, shape)


def _stripes(rng: np.random.Generator, shape: _Shape, period: float) -> np.ndarray:
    across, _ = _grid(rng, shape, period)
    return 0.5 + 0.5 * _soft_square_wave(across)


def _checker(rng: np.random.Generator, shape: _Shape, period: float) -> np.ndarray:
    across, along = _grid(rng, shape, period)
    return 0.5 + 0.5 * _soft_square_wave(across) * _soft_square_wave(along)


def _dots(rng: np.random.Generator, shape: _Shape, period: float) -> np.ndarray:
    across, along = _grid(rng, shape, period)
    height = np.cos(2 * np.pi * across) + np.cos(2 * np.pi * along)
    return np.clip(1.5 * (height - 0.5), 0, 1)


def _noise(rng: np.random.Generator, shape: _Shape, period: float) -> np.ndarray:
    rows, columns = (math.ceil(side / period) + 1 for side in shape)
    coarse = rng.random((rows, columns), dtype=np.float32)
    return np.clip(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), 0, 1)


class _Texture(NamedTuple):
    """A pattern of two colours.

    `draw` takes a generator, rows and columns and the period (px), and gives the share of the
    second colour at every pixel, float32 in [0, 1]. `periods` are of the image side.
    """

    draw: Callable[[np.random.Generator, _Shape, float], np.ndarray]
    periods: tuple[float, float]


_FLAT = _Texture(_flat, (0.03, 0.05))
_NOISE = _Texture(_noise, (0.03, 0.05))
_DOTS = _Texture(_dots, (0.03, 0.05))
_CHECKER = _Texture(_checker, (0.025, 0.03))
_STRIPES = _Texture(_stripes, (0.055, 0.075))
_TEXTURES = (_FLAT, _NOISE, _DOTS, _CHECKER, _STRIPES)
_BACKGROUND_TEXTURES = (_FLAT, _NOISE)
_OWN_TEXTURES = (_DOTS, _CHECKER, _STRIPES)  # in the order of `SHAPE_CLASSES`


def _one_of(rng: np.random.Generator, textures: tuple[_Texture, ...]) -> _Texture:
    return textures[rng.integers(len(textures))]


def _texture_of(rng: np.random.Generator, label: int) -> _Texture:
    own = rng.random() < OWN_TEXTURE_SHARE
    return _OWN_TEXTURES[label] if own else _one_of(rng, _TEXTURES)


def _textured(
    rng: np.random.Generator, texture: _Texture, shape: _Shape, size: int, colours: np.ndarray
) -> np.ndarray:
    """A texture of the two RGB colours, (2, 3), under uneven light: (*shape, 3)."""
    period = max(5.0, size * rng.uniform(*texture.periods))
    share = texture.draw(rng, shape, period)[..., None]
    light = 0.85 + 0.25 * _ramp(rng, shape)[..., None]
    return (colours[0] + share * (colours[1] - colours[0])) * light


# --------------------------------------------------------------------------- colours


def _random_colours(rng: np.random.Generator, count: int, saturation: float = 1.0) -> np.ndarray:
    """(count, 3) float32 RGB in [0, 1]."""
    low, high = np.array([[0, 0.15, 0.2], [360, 1, 1]])
    hsv = rng.uniform(low, high, (count, 3)) * [1, saturation, 1]
    return cv2.cvtColor(hsv[None].astype(np.float32), cv2.COLOR_HSV2RGB)[0]


def _to_lab(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb[None], cv2.COLOR_RGB2LAB)[0]


def _contrast(colours: np.ndarray, surround: np.ndarray) -> np.ndarray:
    """How far each RGB colour, (K, 3), stands out from all but a tenth of the surround, (M, 3).

    Returns CIE Lab distances, (K,): about 2 is just visible, 100 is black on white.
    """
    distances = np.linalg.norm(_to_lab(colours)[:, None] - _to_lab(surround), axis=-1)  # (K, M)
    return np.sort(distances, axis=1)[:, len(surround) // 10]


def _standing_out(rng: np.random.Generator, surround: np.ndarray) -> np.ndarray:
    """Two random colours, (2, 3), that stand out from the surrounding pixels, (M, 3).

    They also differ in lightness, or their texture would hardly be seen. Of some random pairs it
    is the first that stands out enough, or else the one that comes closest to that.
    """
    pairs = _random_colours(rng, 2 * _COLOUR_TRIES).reshape(-1, 2, 3)
    contrast = _contrast(pairs.reshape(-1, 3), surround).reshape(-1, 2).min(axis=1)
    lightness = _to_lab(pairs.reshape(-1, 3))[:, 0].reshape(-1, 2)
    tone_step = np.abs(lightness[:, 1] - lightness[:, 0])
    sufficiency = np.minimum(contrast / _MIN_CONTRAST, tone_step / _MIN_TONE_STEP)
    enough = np.flatnonzero(sufficiency >= 1)
    return pairs[enough[0] if len(enough) else np.argmax(sufficiency)]


# --------------------------------------------------------------------------- painting


def _to_uint8(canvas: np.ndarray) -> np.ndarray:
    return np.round(np.clip(canvas, 0, 1) * 255).astype(np.uint8)


def _paint_clutter(rng: np.random.Generator, picture: np.ndarray) -> None:
    """Draw thin lines, arcs and small blobs, which belong to no class, on an uint8 picture."""
    size = len(picture)
    lines, arcs, blobs = (
        (255 * _random_colours(rng, count)).tolist()
        for count in rng.integers((3, 2, 4), (8, 6, 13))
    )
    for colour in lines:
        start, end = rng.integers(0, size, (2, 2)).tolist()
        cv2.line(picture, start, end, colour, 1, cv2.LINE_AA)
    for colour in arcs:
        centre, axes = rng.integers(0, size, 2).tolist(), rng.integers(4, size // 5, 2).tolist()
        turn, begin, length = rng.uniform((0, 0, 50), (180, 360, 170))
        cv2.ellipse(picture, centre, axes, turn, begin, begin + length, colour, 1, cv2.LINE_AA)
    for colour in blobs:
        radii = size * rng.uniform(0.006, 0.03, (7, 1))
        blob = _regular_polygon(7) * radii + rng.uniform(0, size, 2)
        cv2.fillPoly(picture, [np.round(blob * 16).astype(np.int32)], colour, cv2.LINE_AA, shift=4)


def _paint_background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Muted noise over a gradient, with clutter: (size, size, 3) float32 RGB in [0, 1]."""
    first, other, far = _random_colours(rng, 3, saturation=0.6)
    second = first + np.float32(rng.uniform(0.15, 0.4)) * (other - first)
    canvas = _textured(
        rng, _one_of(rng, _BACKGROUND_TEXTURES), (size, size), size, np.stack([first, second])
    )
    gradient = np.float32(rng.uniform(0.1, 0.4)) * _ramp(rng, (size, size))
    picture = _to_uint8(canvas + gradient[..., None] * (far - first))
    _paint_clutter(rng, picture)  # on uint8, as OpenCV draws smooth lines on nothing else
    return picture.astype(np.float32) / 255


def _paint_object(rng: np.random.Generator, canvas: np.ndarray, place: _Placement) -> None:
    """Put the object on the canvas, in colours that stand out from what lies around it."""
    size = len(canvas)
    window = place.window(size)
    beneath = canvas[window]
    coverage = place.coverage(window)
    inside = (coverage > 0).astype(np.uint8)
    ring = cv2.dilate(inside, np.ones((7, 7), np.uint8)) > inside
    surround = beneath[ring][::4]  # a sample is enough
    colours = _standing_out(rng, surround)
    texture = _texture_of(rng, place.label)
    paint = _textured(rng, texture, coverage.shape, size, colours)
    if rng.random() < 0.6:
        edges = np.stack([0.45 * colours[0], 0.45 * colours[0] + 0.55])
        edge = edges[np.argmax(_contrast(edges, surround))]
        line = place.coverage(window, stroke=size * rng.uniform(0.01, 0.02))
        paint += line[..., None] * (edge - paint)
    beneath += coverage[..., None] * (np.clip(paint, 0, 1) - beneath)


def render_scene(rng: np.random.Generator, size: int) -> Scene:
    """Paint a random scene of `size` x `size` pixels.

    Every painted object is labelled, and shows at least `MIN_VISIBLE_SHARE` of its area and
    `MIN_VISIBLE_PIXELS` pixels.

    Raises:
        ValueError: `size` is below `MIN_SIZE`.
    """
    _check_at_least("size", size, MIN_SIZE)
    placed, owner = _place_objects(rng, size)
    canvas = _paint_background(rng, size)
    for place in placed:
        _paint_object(rng, canvas, place)
    grain = rng.standard_normal(canvas.shape, dtype=np.float32)
    canvas += np.float32(rng.uniform(0.004, 0.03)) * grain
    masks = [owner == index for index in range(len(placed))]
    return Scene(_to_uint8(canvas), masks, [place.label for place in placed])


# --------------------------------------------------------------------------- COCO


def _without_holes(mask: np.ndarray) -> list[np.ndarray]:
    """Cut a mask through its holes into parts that have none, as polygons cannot hold holes."""
    contours, hierarchy = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
    )
    parents = hierarchy[0, :, 3]
    holes = [contours[index] for index in np.flatnonzero(parents >= 0)]
    if not holes:
        return [mask]
    left, _, width, _ = cv2.boundingRect(holes[0])
    is_left = np.arange(mask.shape[1]) < left + (width + 1) // 2
    return [part for half in (is_left, ~is_left) for part in _without_holes(mask & half)]


def mask_to_polygons(mask: np.ndarray) -> list[list[float]]:
    """COCO polygons `[x0, y0, x1, y1, ...]` (px, 0 at the image's edge) whose union is the mask.

    `mask` is (H, W) bool and not empty. The contour is followed on an enlarged mask, as one
    through the pixel centres would lose half a pixel all around.
    """
    enlarged = 4
    polygons = []
    for part in _without_holes(mask):
        fine = cv2.resize(
            part.astype(np.uint8), None, fx=enlarged, fy=enlarged, interpolation=cv2.INTER_NEAREST
        )
        contours, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        for contour in contours:
            corners = cv2.approxPolyDP(contour, 0.3 * enlarged, True)
            polygons.append(((corners + 0.5) / enlarged).ravel().tolist())
    return polygons


def _coco_annotation(mask: np.ndarray, label: int, image_id: int, number: int) -> dict:
    return {
        "id": number,
        "image_id": image_id,
        "category_id": label + 1,
        "segmentation": mask_to_polygons(mask),
        "area": int(mask.sum()),
        "bbox": list(cv2.boundingRect(mask.astype(np.uint8))),
        "iscrowd": 0,
    }


# --------------------------------------------------------------------------- the set on disk


def _check_at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


@dataclass(frozen=True)
class _Arguments:
    """What decides every byte of a set: images per split, side (px) and seed."""

    train: int
    val: int
    size: int
    seed: int

    def __post_init__(self) -> None:
        for name, least in {"train": 1, "val": 1, "size": MIN_SIZE, "seed": 0}.items():
            _check_at_least(name, getattr(self, name), least)

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in asdict(self).items())

    def count(self, split: str) -> int:
        return {"train": self.train, "val": self.val}[split]

    def files(self) -> set[str]:
        """All files of a finished set, relative to its folder."""
        files = {_MANIFEST, *(f"instances_{split}.json" for split in _FOLDERS)}
        for split, folder in _FOLDERS.items():
            for stem in map(_stem, range(self.count(split))):
                files |= {f"images/{folder}/{stem}.jpg", f"annotations/{folder}/{stem}.png"}
        return files


def _stem(index: int) -> str:
    return f"{index:06d}"


def _write_json(path: Path, content: dict, indent: int | None = None) -> None:
    path.write_text(json.dumps(content, indent=indent) + "\n", encoding="utf-8")


def _write_picture(path: Path, picture: np.ndarray, options: tuple[int, ...] = ()) -> None:
    _, encoded = cv2.imencode(path.suffix, picture, options)
    path.write_bytes(encoded.tobytes())


def _write_scene(root: Path, folder: str, stem: str, scene: Scene) -> None:
    bgr = cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR)
    jpeg_options = (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY)
    _write_picture(root / "images" / folder / f"{stem}.jpg", bgr, jpeg_options)
    _write_picture(root / "annotations" / folder / f"{stem}.png", scene.semantic_map())


def _write_split(root: Path, split: str, arguments: _Arguments) -> dict[str, int]:
    """Write one split's pictures, maps and COCO file; return its objects per class."""
    folder, count, size = _FOLDERS[split], arguments.count(split), arguments.size
    split_index = list(_FOLDERS).index(split)
    for kind in ("images", "annotations"):
        (root / kind / folder).mkdir(parents=True)
    images, annotations = [], []
    for index in range(count):
        scene = render_scene(np.random.default_rng([arguments.seed, split_index, index]), size)
        stem, image_id = _stem(index), index + 1
        _write_scene(root, folder, stem, scene)
        images.append({"id": image_id, "file_name": f"{stem}.jpg", "width": size, "height": size})
        for mask, label in zip(scene.masks, scene.labels, strict=True):
            number = len(annotations) + 1
            annotations.append(_coco_annotation(mask, label, image_id, number))
        if image_id % 100 == 0 or image_id == count:
            logger.info("%s: %d of %d images", split, image_id, count)
    categories = [{"id": id_, "name": name} for id_, name in enumerate(SHAPE_CLASSES, start=1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    _write_json(root / f"instances_{split}.json", content)
    seen = Counter(SHAPE_CLASSES[annotation["category_id"] - 1] for annotation in annotations)
    return {name: seen[name] for name in SHAPE_CLASSES}


def _write_all(root: Path, arguments: _Arguments) -> None:
    objects = {split: _write_split(root, split, arguments) for split in _FOLDERS}
    manifest = {
        "format": _FORMAT,
        "version": _FORMAT_VERSION,
        "arguments": asdict(arguments),
        "classes": SHAPE_CLASSES,
        "images": {split: arguments.count(split) for split in _FOLDERS},
        "objects": objects,
    }
    _write_json(root / _MANIFEST, manifest, indent=2)


def _made_with(out: Path) -> _Arguments | None:
    """The arguments of the set in `out`; None if it was not made by this version of the code."""
    try:
        manifest = json.loads((out / _MANIFEST).read_text(encoding="utf-8"))
        if (manifest["format"], manifest["version"]) != (_FORMAT, _FORMAT_VERSION):
            return None
        return _Arguments(**manifest["arguments"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_reusable(out: Path, arguments: _Arguments, overwrite: bool) -> bool:
    """Whether `out` already holds the wanted set; False where one may be put there.

    Raises:
        FileExistsError: something is there that is neither the wanted set nor may be replaced.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    made = _made_with(out)
    if made is None:
        raise FileExistsError(
            f"{out} exists and has no {_MANIFEST} of this version, so it is not replaced, not even "
            "with --overwrite; give another --out or remove it yourself"
        )
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()}
    if overwrite:
        _refuse_foreign_files(out, found - made.files())
        return False
    if made != arguments:
        raise FileExistsError(
            f"{out} holds a shapes set made with {made}, not with {arguments}; give --overwrite "
            "to replace it or another --out"
        )
    if missing := made.files() - found:
        raise FileExistsError(
            f"{out} lacks {len(missing)} files of its shapes set, such as {min(missing)}; give "
            "--overwrite to make it again or another --out"
        )
    return True


def _refuse_foreign_files(out: Path, foreign: set[str]) -> None:
    if foreign:
        raise FileExistsError(
            f"{out} holds {len(foreign)} files that are not of the shapes set, such as "
            f"{min(foreign)}, so it is not overwritten; move them away or give another --out"
        )


def _put_in_place(built: Path, out: Path, retired: Path) -> None:
    """Rename `built` to `out` and what stood there to `retired`, or leave `out` as it was."""
    try:
        if out.exists():
            out.rename(retired)
        built.rename(out)
    except BaseException:
        if retired.exists() and not out.exists():
            retired.rename(out)
        raise


def write_dataset(
    out: str | Path, train: int, val: int, size: int, seed: int, overwrite: bool = False
) -> Path:
    """Write `train` and `val` images of `size` x `size` pixels with both kinds of labels.

    Equal arguments give equal bytes (with the same NumPy and OpenCV), and image i depends on the
    seed, its split and i alone. The set is built in a hidden folder beside `out` and renamed at
    the end. A finished set made with the same arguments is kept as it is, unless `overwrite`.

    Returns the set's absolute folder.

    Raises:
        ValueError: a count is below 1, `size` below `MIN_SIZE` or `seed` below 0.
        FileExistsError: `out` holds something else. `overwrite` lifts this only for a folder
            that this function made and that holds nothing but the set.
    """
    arguments = _Arguments(train, val, size, seed)
    out = Path(out).resolve()
    if _is_reusable(out, arguments, overwrite):
        logger.info("%s already holds this set, nothing to do", out)
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as workplace:
        built = Path(workplace, "built")
        _write_all(built, arguments)
        # Asked again: another process may have filled `out` meanwhile.
        if not _is_reusable(out, arguments, overwrite):
            _put_in_place(built, out, Path(workplace, "retired"))
    logger.info("wrote %s", out)
    return out
