"""Painting a scene: the background with its clutter, the objects, the grain."""

from collections.abc import Iterator

import cv2
import numpy as np

from .colours import contrast, random_colours, standing_out
from .scene import MIN_SIZE, Placement, Scene, place_objects, regular_polygon
from .textures import BACKGROUND_TEXTURES, one_of, ramp, texture_of, textured


def to_uint8(canvas: np.ndarray) -> np.ndarray:
    return np.round(np.clip(canvas, 0, 1) * 255).astype(np.uint8)


def _paint_clutter(rng: np.random.Generator, picture: np.ndarray) -> None:
    """Draw thin lines, arcs and small blobs, which belong to no class, on an uint8 picture."""
    size = len(picture)
    lines, arcs, blobs = (
        (255 * random_colours(rng, count)).tolist() for count in rng.integers((3, 2, 4), (8, 6, 13))
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
        blob = regular_polygon(7) * radii + rng.uniform(0, size, 2)
        cv2.fillPoly(picture, [np.round(blob * 16).astype(np.int32)], colour, cv2.LINE_AA, shift=4)


def _paint_background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Muted noise over a gradient, with clutter: (size, size, 3) float32 RGB in [0, 1]."""
    first, other, far = random_colours(rng, 3, saturation=0.6)
    second = first + np.float32(rng.uniform(0.15, 0.4)) * (other - first)
    texture = one_of(rng, BACKGROUND_TEXTURES)
    canvas = textured(rng, texture, (size, size), size, np.stack([first, second]))
    gradient = np.float32(rng.uniform(0.1, 0.4)) * ramp(rng, (size, size))
    picture = to_uint8(canvas + gradient[..., None] * (far - first))
    _paint_clutter(rng, picture)  # on uint8, as OpenCV draws smooth lines on nothing else
    return picture.astype(np.float32) / 255


def _paint_object(rng: np.random.Generator, canvas: np.ndarray, place: Placement) -> None:
    """Put the object on the canvas, in colours that stand out from what lies around it."""
    size = len(canvas)
    window = place.window(size)
    beneath = canvas[window]
    coverage = place.coverage(window)
    inside = (coverage > 0).astype(np.uint8)
    ring = cv2.dilate(inside, np.ones((7, 7), np.uint8)) > inside
    surround = beneath[ring][::4]  # a sample is enough
    colours = standing_out(rng, surround)
    texture = texture_of(rng, place.label)
    paint = textured(rng, texture, coverage.shape, size, colours)
    if rng.random() < 0.6:
        edges = np.stack([0.45 * colours[0], 0.45 * colours[0] + 0.55])
        edge = edges[np.argmax(contrast(edges, surround))]
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
    if size < MIN_SIZE:
        raise ValueError(f"size must be at least {MIN_SIZE}, got {size}")
    placed, owner = place_objects(rng, size)
    canvas = _paint_background(rng, size)
    for place in placed:
        _paint_object(rng, canvas, place)
    grain = rng.standard_normal(canvas.shape, dtype=np.float32)
    canvas += np.float32(rng.uniform(0.004, 0.03)) * grain
    masks = [owner == index for index in range(len(placed))]
    return Scene(to_uint8(canvas), masks, [place.label for place in placed])


def drawn_pictures(channels: int, side: int) -> Iterator[np.ndarray]:
    """Pictures without end, always the same ones, for whoever has none of their own.

    Args:
        channels: Of a picture; beyond three they are those of further scenes.
        side: Height and width, at least; a scene needs some.

    Yields:
        uint8 (side, side, channels).
    """
    random = np.random.default_rng(0)
    while True:
        layers = [render_scene(random, max(side, MIN_SIZE)).image for _ in range(-(-channels // 3))]
        yield np.concatenate(layers, -1)[..., :channels]
