"""What stands where in a picture: the classes, their outlines, and placing the objects."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

SHAPE_CLASSES: tuple[str, ...] = ("circle", "square", "triangle")
#: One RGB colour per class, in the order of `SHAPE_CLASSES`, for drawing results.
SHAPE_PALETTE: tuple[tuple[int, int, int], ...] = ((230, 60, 60), (60, 130, 230), (60, 190, 90))

MIN_SIZE = 64  # px; a smaller image has no room for the smallest objects
OBJECTS_PER_IMAGE = (12, 20)
DIAMETER_RANGE = (0.11, 0.23)  # of the image side, of a circle as large as the object
MIN_VISIBLE_SHARE = 0.6
MIN_VISIBLE_PIXELS = 40

_SUPERSAMPLING = 4
_PLACING_TRIES = 400


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


def regular_polygon(corners: int) -> np.ndarray:
    """(corners, 2) points on the unit circle, at equal angles."""
    angles = 2 * np.pi * np.arange(corners) / corners
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _of_unit_circle_area(outline: np.ndarray) -> np.ndarray:
    return outline * math.sqrt(math.pi / cv2.contourArea(outline.astype(np.float32)))


#: Corners of each class around the origin, (N, 2), in the order of `SHAPE_CLASSES`. All have the
#: area of the unit circle, so that no class is harder for being smaller.
UNIT_OUTLINES = tuple(_of_unit_circle_area(regular_polygon(corners)) for corners in (64, 4, 3))


@dataclass(frozen=True)
class Placement:
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


def _propose(rng: np.random.Generator, size: int, placed: list[Placement]) -> Placement:
    """A random object; two in five lie near an earlier object, so that some are hidden."""
    label = int(rng.integers(len(SHAPE_CLASSES)))
    low, high = DIAMETER_RANGE
    scale = size * math.exp(rng.uniform(math.log(low), math.log(high))) / 2
    outline = scale * UNIT_OUTLINES[label]
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
    return Placement(label, centre, radius, outline @ rotation + centre)


def _all_visible(owner: np.ndarray, placed: list[Placement]) -> bool:
    visible = np.bincount(owner[owner >= 0], minlength=len(placed))
    needed = [max(MIN_VISIBLE_PIXELS, MIN_VISIBLE_SHARE * place.area) for place in placed]
    return bool(np.all(visible >= needed))


def place_objects(rng: np.random.Generator, size: int) -> tuple[list[Placement], np.ndarray]:
    """Choose the objects before anything is painted, so that none has to be taken back.

    Returns the objects, bottom one first, and the index of the object seen at every pixel,
    (size, size) int64, -1 for background. An object that would be hidden too much, or would
    hide an earlier one too much, is dropped and another proposed.
    """
    wanted = rng.integers(OBJECTS_PER_IMAGE[0], OBJECTS_PER_IMAGE[1] + 1)
    placed: list[Placement] = []
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
