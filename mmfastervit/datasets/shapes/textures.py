"""Textures of two colours, and which of them an object wears."""

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

OWN_TEXTURE_SHARE = 0.95  # of the objects of a class; the others wear any texture


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


def ramp(rng: np.random.Generator, shape: _Shape) -> np.ndarray:
    """A slope from 0 to 1 in a random direction, float32."""
    angle = rng.uniform(0, 2 * np.pi)
    rows = np.linspace(-0.7, 0.7, shape[0], dtype=np.float32)[:, None]
    columns = np.linspace(-0.7, 0.7, shape[1], dtype=np.float32)
    slope = np.float32(np.cos(angle)) * columns + np.float32(np.sin(angle)) * rows
    return np.clip(0.5 + 0.5 * slope, 0, 1)


def _flat(rng: np.random.Generator, shape: _Shape, period: float) -> np.ndarray:
    return 0.3 * ramp(rng, shape)


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
BACKGROUND_TEXTURES = (_FLAT, _NOISE)
_OWN_TEXTURES = (_DOTS, _CHECKER, _STRIPES)  # in the order of `SHAPE_CLASSES`


def one_of(rng: np.random.Generator, textures: tuple[_Texture, ...]) -> _Texture:
    return textures[rng.integers(len(textures))]


def texture_of(rng: np.random.Generator, label: int) -> _Texture:
    own = rng.random() < OWN_TEXTURE_SHARE
    return _OWN_TEXTURES[label] if own else one_of(rng, _TEXTURES)


def textured(
    rng: np.random.Generator, texture: _Texture, shape: _Shape, size: int, colours: np.ndarray
) -> np.ndarray:
    """A texture of the two RGB colours, (2, 3), under uneven light: (*shape, 3)."""
    period = max(5.0, size * rng.uniform(*texture.periods))
    share = texture.draw(rng, shape, period)[..., None]
    light = 0.85 + 0.25 * ramp(rng, shape)[..., None]
    return (colours[0] + share * (colours[1] - colours[0])) * light
