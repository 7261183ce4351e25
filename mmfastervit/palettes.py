"""A colour for each class."""

import colorsys
from collections.abc import Sequence
from typing import Any

Colour = tuple[int, int, int]  # red, green, blue, 0 to 255

# Okabe and Ito, "Color Universal Design" (2008): told apart by people with any kind of colour
# vision. Black, the eighth, is for what is background.
OKABE_ITO: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
BACKGROUND: Colour = (0, 0, 0)
_BACKGROUNDS = ("background", "_background_", "bg")


def is_background(name: str) -> bool:
    """Whether a class is what is left beside the others."""
    return name.lower() in _BACKGROUNDS


def palette_for(classes: Sequence[str], given: Any = None) -> tuple[Colour, ...]:
    """Choose a colour for each class, background black.

    Up to seven classes, and background, get colours that colour-blind people tell apart. More get
    those of their data set, where it has one for each; otherwise colours of far apart hues.

    Args:
        classes: Names, in the order of their labels.
        given: The data set's palette: a list of red, green and blue for each class.
    """
    count = sum(not is_background(name) for name in classes)
    own = _as_colours(given)
    if count > len(OKABE_ITO) and len(own) >= len(classes):
        return own[: len(classes)]
    fresh = iter(OKABE_ITO if count <= len(OKABE_ITO) else map(_hue, range(count)))
    return tuple(BACKGROUND if is_background(name) else next(fresh) for name in classes)


def _as_colours(given: Any) -> tuple[Colour, ...]:
    """A palette as tuples; nothing where it is no list of colours, as mmdet's ``'random'``."""
    if not isinstance(given, (list, tuple)):
        return ()
    found = []
    for colour in given:
        if not isinstance(colour, (list, tuple)) or len(colour) != 3:
            return ()
        red, green, blue = (min(255, max(0, int(part))) for part in colour)
        found.append((red, green, blue))
    return tuple(found)


def _hue(number: int) -> Colour:
    """Colours of which any few that follow each other differ in hue, and in lightness by turns."""
    turn = number * 0.618033988749895 % 1  # the golden ratio spreads any number of hues
    red, green, blue = colorsys.hls_to_rgb(turn, (0.45, 0.65, 0.55)[number % 3], 0.85)
    return round(255 * red), round(255 * green), round(255 * blue)
