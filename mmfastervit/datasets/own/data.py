"""What a folder of one's own data holds, as the templates in ``configs/own`` say it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from mmfastervit.files import written_whole

LARGEST = (1333, 800)  # width and height that pictures are resized to
_STEPS = 12_000  # images that a model sees in training, at least


@dataclass(frozen=True)
class OwnData:
    """What a folder holds, in the words of the templates in ``configs/own``.

    Args:
        template: ``boxes``, ``masks`` or ``labels``.
        classes: Their names, in order.
        files: For ``train`` and ``val`` what the template's line ``files`` holds.
        image_scale: What pictures are resized to, in pixels.
        images: Pictures to train on.
        further: Values of other lines of the template, by what stands to their left.
        parts: The text of files to write with :func:`write_parts`, by path: the two parts of what
            has nothing to evaluate on.
        remark: What else is to be said of the data; '' for nothing.
    """

    template: str
    classes: tuple[str, ...]
    files: Mapping[str, tuple[str, str]]
    image_scale: tuple[int, int]
    images: int
    further: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[Path, str] = field(default_factory=dict)
    remark: str = ""

    @property
    def epochs(self) -> int:
        """As many that 12 000 images are seen, from 12 to 200."""
        return min(200, max(12, round(_STEPS / self.images)))


def write_parts(data: OwnData) -> None:
    """Write the two parts of what has nothing to evaluate on."""
    for path, text in data.parts.items():
        with written_whole(path) as file:
            file.write_text(text, encoding="utf-8")


def usual_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The usual width and height of pictures, as far as it is not larger than ``LARGEST``."""
    if not sizes:
        return LARGEST
    width, height = (round(median(side)) for side in zip(*sizes, strict=True))
    factor = min(1.0, LARGEST[0] / max(width, height), LARGEST[1] / min(width, height))
    return round(width * factor), round(height * factor)
