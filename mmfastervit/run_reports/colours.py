"""Colours that people of all colour vision tell apart, on light and on dark grounds.

The eight are those of M. Okabe and K. Ito, Color Universal Design (2008). Colour is never all that
tells two things apart: lines have patterns and marks too, boxes have words.
"""

from dataclasses import dataclass

BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"

THEMES = ("light", "dark")
# Line patterns in points drawn and left out, and a mark for each.
DASHES: tuple[tuple[float, ...], ...] = (
    (),
    (5, 1.6),
    (1.3, 1.3),
    (6, 1.5, 1.3, 1.5),
    (9, 2),
    (4, 1.2, 1.2, 1.2, 1.2, 1.2),
    (2.6, 1.2),
    (9, 1.5, 2.5, 1.5),
)
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True)
class Theme:
    """The colours of a figure.

    Attributes:
        ground: Behind everything.
        ink: Words.
        faint: Frames and the lines of the grid.
        lines: Of the runs, in their order; those with least contrast to the ground come last.
    """

    ground: str
    ink: str
    faint: str
    lines: tuple[str, ...]


LIGHT = Theme(
    ground="#FFFFFF",
    ink="#1F2328",
    faint="#D6D9DD",
    lines=(BLUE, VERMILION, GREEN, PURPLE, BLACK, ORANGE, SKY, "#B8A800"),  # a yellow to be seen
)
DARK = Theme(
    ground="#16181C",
    ink="#E6E8EB",
    faint="#3A3F46",
    lines=(SKY, ORANGE, GREEN, PURPLE, YELLOW, VERMILION, "#FFFFFF", "#4C9BD6"),
)


def theme(name: str) -> Theme:
    """The theme of a name of :data:`THEMES`."""
    return {"light": LIGHT, "dark": DARK}[name]
