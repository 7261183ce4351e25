"""A page of panels and wrapped text, laid out from the top in inches, so that nothing overlaps."""

from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

LEADING = 1.35  # height of a line of text, as a multiple of its size
POINTS = 72  # an inch
HINTED = 0.96  # share of a line to fill: on a coarse grid of pixels letters come out wider


@dataclass(frozen=True)
class Theme:
    """Colours of a page; those that tell things apart are Okabe and Ito's.

    Args:
        ground: Of the page.
        ink: Of text.
        faint: Of text that is read last, and of frames.
        warning: Of what must not be missed.
    """

    ground: str
    ink: str
    faint: str
    warning: str


THEMES = {
    "light": Theme("#ffffff", "#1a1a1a", "#555555", "#b34700"),
    "dark": Theme("#14171c", "#ececec", "#a9b0ba", "#e69f00"),
}
ORANGE, SKY, BLUE = "#e69f00", "#56b4e9", "#0072b2"


class Page:
    """What stands on a page and where; :meth:`figure` draws it once its height is known.

    Args:
        width: Inches.
        theme: A key of :data:`THEMES`.

    Raises:
        ValueError: There is no such theme.
    """

    def __init__(self, width: float, theme: str = "light"):
        if theme not in THEMES:
            raise ValueError(f"theme must be one of {', '.join(THEMES)}, not {theme!r}")
        self.width = width
        self.theme = THEMES[theme]
        self.bottom = 0.0
        self._draw: list[Callable[[Figure], object]] = []

    def text(
        self,
        x: float,
        y: float,
        width: float,
        text: str,
        size: float = 9,
        weight: str = "normal",
        colour: str | None = None,
        align: str = "left",
    ) -> float:
        """Write text, wrapped, with its upper edge at ``y``; returns where its lower edge is.

        Args:
            x: Inches from the left; with ``align='right'`` of the right edge.
            y: Inches from the top.
            width: Inches a line may have.
            text: Paragraphs, parted by line breaks.
            size: Points.
            weight: 'normal' or 'bold'.
            colour: None for the theme's ink.
            align: 'left', 'right' or 'center'.
        """
        lines = wrap(text, width * HINTED, size, weight)
        style: dict[str, Any] = dict(
            size=size, weight=weight, color=colour or self.theme.ink, ha=align
        )

        def write(figure: Figure, line: str, top: float) -> None:
            left = x / figure.get_figwidth()
            baseline = 1 - (top + size * 1.05 / POINTS) / figure.get_figheight()
            figure.text(left, baseline, line, va="baseline", parse_math=False, **style)

        for i, line in enumerate(lines):
            self._draw.append(partial(write, line=line, top=y + i * LEADING * size / POINTS))
        return self._reach(y + len(lines) * LEADING * size / POINTS)

    def panel(
        self, x: float, y: float, width: float, height: float, draw: Callable[[Axes], object]
    ) -> float:
        """Place axes without ticks, in inches, that ``draw`` fills; returns their lower edge."""

        def place(figure: Figure) -> None:
            total = figure.get_figwidth(), figure.get_figheight()
            bottom = 1 - (y + height) / total[1]
            axes = figure.add_axes(
                (x / total[0], bottom, width / total[0], height / total[1]),
                facecolor=self.theme.ground,
            )
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set(color=self.theme.faint, linewidth=0.6)
            draw(axes)

        self._draw.append(place)
        return self._reach(y + height)

    def figure(self, margin: float) -> Figure:
        """The page, with ``margin`` inches below what stands lowest."""
        figure = Figure(figsize=(self.width, self.bottom + margin), facecolor=self.theme.ground)
        for draw in self._draw:
            draw(figure)
        return figure

    def _reach(self, y: float) -> float:
        self.bottom = max(self.bottom, y)
        return y


def wrap(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """Break text into lines of at most ``width`` inches; a word that is longer is broken."""
    lines: list[str] = []
    space = text_width(" ", size, weight)
    for paragraph in text.splitlines():
        line, used = "", 0.0
        for word in _words(paragraph, width, size, weight):
            needed = text_width(word, size, weight)
            if line and used + space + needed > width:
                lines.append(line)
                line, used = word, needed
            else:
                used += needed + (space if line else 0)
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines


def _words(paragraph: str, width: float, size: float, weight: str) -> Iterator[str]:
    """The words of a paragraph, in pieces where one is wider than a line."""
    for word in paragraph.split():
        while text_width(word, size, weight) > width and len(word) > 1:
            fits = bisect(
                range(1, len(word)), width, key=lambda n: text_width(word[:n], size, weight)
            )
            yield word[: max(fits, 1)]
            word = word[max(fits, 1) :]
        yield word


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Inches that a line of text takes."""
    font = FontProperties(size=size, weight=weight)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / POINTS
