"""How far a quantised file is from the float one it was made of, on pictures.

That is no proof, as an int8 file is not exact: it tells what to expect before a metric is measured.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .proof import FLOOR, overlaps

IOU = 0.9  # of a detection that is found again
_FOUND = 0.5  # of the detections, at least
_LOST = 1.0  # of the maps' own size: what nothing but zeros would be off

Outputs = Mapping[str, np.ndarray]


@dataclass
class Likeness:
    """What a comparison found.

    Attributes:
        runtime: What ran both files.
        pictures: How many were compared.
        detections: Of the float file, over a score of 0.05, or all where none is.
        again: How many of them the other finds at an IoU of 0.9 with the same label.
        more: Detections of the other alone, over that score.
        scores: The differences of the scores of what was found again.
        pixels: Of class maps.
        same: How many of them are of the same class.
        kinds: The classes in the float file's maps and in the other's.
        squares: Of each map or logits, the mean squared difference and the float file's mean
            squared value of a picture, summed over all of them.
        finite: Whether every number was.
    """

    runtime: str = ""
    pictures: int = 0
    detections: int = 0
    again: int = 0
    more: int = 0
    scores: list[float] = field(default_factory=list)
    pixels: int = 0
    same: int = 0
    kinds: tuple[set[int], set[int]] = field(default_factory=lambda: (set(), set()))
    squares: dict[str, np.ndarray] = field(default_factory=dict)
    finite: bool = True

    @property
    def rms(self) -> dict[str, float]:
        """Of each map or logits, the root mean square of the differences over that of the values.

        Over all pictures together: where a model is undecided its logits are near 0, and such a
        picture by itself would be far off in any case.
        """
        return {
            name: float(np.sqrt(off / max(size, 1e-24)))
            for name, (off, size) in self.squares.items()
        }

    def check(self) -> None:
        """Raise ArithmeticError where a file is of no use, whatever its metrics."""
        why = ""
        if not self.finite:
            why = "it gives numbers that are not finite"
        elif not (self.detections or self.pixels or self.squares):
            why = (
                "the float file finds nothing on the pictures that were held back, so that nothing "
                "can be compared: name pictures of its kind by --calibrate"
            )
        elif self.again < _FOUND * self.detections:
            why = f"it finds {self.again} of the {self.detections} detections of the float file"
        elif self.pixels and len(self.kinds[0]) > 1 and len(self.kinds[1]) == 1:
            why = "it gives one class everywhere, where the float file gives several"
        elif worst := [name for name, value in self.rms.items() if not value < _LOST]:
            why = f"of {', '.join(worst)} nothing is left: differences are as large as the values"
        if why:
            raise ArithmeticError(
                f"in int8, by {self.runtime}, the model is lost: {why}. The file is not written"
            )

    def told(self) -> list[str]:
        """What was found, in lines."""
        on = f"{self.runtime}, on {self.pictures} pictures that were held back: "
        lines = []
        if self.detections:
            text = (
                f"{self.again} of {self.detections} detections ({self.again / self.detections:.1%})"
                f" found again at IoU {IOU}, {self.more} others"
            )
            if self.scores:
                text += (
                    f"; scores differ by {np.mean(self.scores):.3f} in the mean, "
                    f"{max(self.scores):.3f} at most"
                )
            lines.append(on + text)
        if self.pixels:
            lines.append(f"{on}{self.same / self.pixels:.2%} of the pixels are of the same class")
        if self.squares:
            values = ", ".join(f"{name} {value:.2%}" for name, value in self.rms.items())
            lines.append(
                f"{on}root mean square of the differences over that of the values: {values}"
            )
        return lines

    def add(self, exact: Outputs, other: Outputs) -> None:
        """Compare what both files give of a batch of one."""
        self.pictures += 1
        self.finite &= all(bool(np.isfinite(values).all()) for values in other.values())
        if "boxes" in exact:
            self._add_detections(exact, other)
        for name in ("classes", "segments"):
            if name in exact:
                self._add_pixels(exact[name], other[name])
        if "logits" in exact:
            self._add_rms("logits", exact["logits"], other["logits"])
            if exact["logits"].shape[1] > 1:
                self._add_pixels(*(each["logits"].argmax(1) for each in (exact, other)))
        for name in exact:
            if name.startswith("output"):  # maps of a backbone or a neck
                self._add_rms(name, exact[name], other[name])

    def _add_detections(self, exact: Outputs, other: Outputs) -> None:
        wanted, offered = (_detections(outputs) for outputs in (exact, other))
        floor = FLOOR if (wanted["scores"] > FLOOR).any() else 0.0
        overlap = overlaps(wanted["boxes"], offered["boxes"])
        overlap[wanted["labels"][:, None] != offered["labels"][None]] = 0
        seen = wanted["scores"] > floor
        free = np.ones(len(offered["scores"]), bool)
        for place in np.flatnonzero(seen):
            able = (overlap[place] >= IOU) & free
            if not able.any():
                continue
            chosen = int(np.argmax(np.where(able, overlap[place], -1.0)))
            free[chosen] = False
            self.again += 1
            self.scores.append(float(abs(wanted["scores"][place] - offered["scores"][chosen])))
        self.detections += int(seen.sum())
        self.more += int((free & (offered["scores"] > floor)).sum())

    def _add_pixels(self, exact: np.ndarray, other: np.ndarray) -> None:
        self.pixels += exact.size
        self.same += int((exact == other).sum())
        for seen, values in zip(self.kinds, (exact, other), strict=True):
            seen.update(np.unique(values).tolist())

    def _add_rms(self, name: str, exact: np.ndarray, other: np.ndarray) -> None:
        sums = [np.square(each, dtype=np.float64).mean() for each in (exact - other, exact)]
        self.squares[name] = self.squares.get(name, np.zeros(2)) + sums


def _detections(outputs: Outputs) -> dict[str, np.ndarray]:
    count = int(outputs["count"][0])
    return {name: outputs[name][0, :count] for name in ("boxes", "scores", "labels")}


def compare_files(exact: Any, other: Any, batches: Iterable[np.ndarray], runtime: str) -> Likeness:
    """Run two files on the same batches of one picture.

    Args:
        exact: The float file, from a batch to arrays by name.
        other: The quantised one.
        batches: As the files take them.
        runtime: What runs them, for the words.
    """
    likeness = Likeness(runtime)
    for batch in batches:
        likeness.add(exact(batch), other(batch))
    return likeness
