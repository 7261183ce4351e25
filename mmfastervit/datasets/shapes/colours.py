"""Random colours that stand out from what surrounds them."""

import cv2
import numpy as np

_MIN_CONTRAST = 25.0  # CIE Lab distance of an object's colours from what surrounds it
_MIN_TONE_STEP = 60.0  # CIE Lab lightness between an object's two colours
_COLOUR_TRIES = 32


def random_colours(rng: np.random.Generator, count: int, saturation: float = 1.0) -> np.ndarray:
    """(count, 3) float32 RGB in [0, 1]."""
    low, high = np.array([[0, 0.15, 0.2], [360, 1, 1]])
    hsv = rng.uniform(low, high, (count, 3)) * [1, saturation, 1]
    return cv2.cvtColor(hsv[None].astype(np.float32), cv2.COLOR_HSV2RGB)[0]


def _to_lab(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb[None], cv2.COLOR_RGB2LAB)[0]


def contrast(colours: np.ndarray, surround: np.ndarray) -> np.ndarray:
    """How far each RGB colour, (K, 3), stands out from all but a tenth of the surround, (M, 3).

    Returns CIE Lab distances, (K,): about 2 is just visible, 100 is black on white.
    """
    distances = np.linalg.norm(_to_lab(colours)[:, None] - _to_lab(surround), axis=-1)  # (K, M)
    return np.sort(distances, axis=1)[:, len(surround) // 10]


def standing_out(rng: np.random.Generator, surround: np.ndarray) -> np.ndarray:
    """Two random colours, (2, 3), that stand out from the surrounding pixels, (M, 3).

    They also differ in lightness, or their texture would hardly be seen. Of some random pairs it
    is the first that stands out enough, or else the one that comes closest to that.
    """
    pairs = random_colours(rng, 2 * _COLOUR_TRIES).reshape(-1, 2, 3)
    distance = contrast(pairs.reshape(-1, 3), surround).reshape(-1, 2).min(axis=1)
    lightness = _to_lab(pairs.reshape(-1, 3))[:, 0].reshape(-1, 2)
    tone_step = np.abs(lightness[:, 1] - lightness[:, 0])
    sufficiency = np.minimum(distance / _MIN_CONTRAST, tone_step / _MIN_TONE_STEP)
    enough = np.flatnonzero(sufficiency >= 1)
    return pairs[enough[0] if len(enough) else np.argmax(sufficiency)]
