"""The label maps of a segmentation data set: are they maps of classes, and of which?"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .findings import Finding, some
from .pairs import setting
from .pictures import Decoding, Picture, Unreadable, decode
from .sources import Source

_VALUES = 256  # of a pixel of a map, as mmseg reads it
_IGNORED = 255  # what mmseg makes of values that have no class
_MAP = "pictures of one channel and 8 bits, without loss (PNG), whose values are class numbers"


@dataclass(frozen=True)
class LabelMap:
    """What is told of a label map.

    Attributes:
        path: The file.
        picture: Its size and kind.
        counts: Pixels of each value 0 to 255 (256,).
    """

    path: Path
    picture: Picture
    counts: np.ndarray


@dataclass(frozen=True)
class NoMap:
    """A file that is no label map.

    Attributes:
        path: The file.
        kind: Which of :data:`FORMS` it is.
        why: How that shows.
    """

    path: Path
    kind: str
    why: str


# What a file may be instead of a map, and what to do.
FORMS = {
    "unreadable": ("can't be read", "copy the files again"),
    "channels": (
        "several channels: a picture in colours, not a map of class numbers",
        "write the number of the class of each colour into one channel",
    ),
    "depth": (
        "values above 255, of which the library keeps the lower 8 bits",
        "number the classes from 0 on, and store 8 bits a pixel",
    ),
    "numbers": ("values that are no whole numbers from 0 on", "store 8 bits a pixel"),
    "jpeg": (
        "JPEG, whose compression changes values at every edge between classes",
        "write the maps anew as PNG, from where they were made",
    ),
}


def read_map(path: Path, decoding: Decoding) -> LabelMap | NoMap:
    """Read a label map as mmseg does, and count its values."""
    try:
        array, picture = decode(path, decoding)
    except Unreadable as error:
        return NoMap(path, "unreadable", str(error))
    if array.ndim > 2 and array.shape[2] > 1:
        return NoMap(path, "channels", f"{array.shape[2]} channels")
    if array.dtype.kind not in "uib" or array.min() < 0:
        return NoMap(path, "numbers", f"{array.dtype}, from {array.min()} to {array.max()}")
    if array.max() >= _VALUES:
        return NoMap(path, "depth", f"{array.dtype}, up to {array.max()}")
    if picture.is_jpeg:
        return NoMap(path, "jpeg", f"{picture.size[0]}x{picture.size[1]}")
    counts = np.bincount(array.astype(np.uint8).ravel(), minlength=_VALUES)
    return LabelMap(path, picture, counts)


@dataclass(frozen=True)
class Meaning:
    """What a run takes the values of maps for.

    Attributes:
        classes: How many there are.
        table: The label that a value becomes (256,): a class's number, or another value.
        ignored: The value that losses and metrics pass by.
        reduced: Whether 0 is nobody's and 1 the first class.
    """

    classes: int
    table: np.ndarray = field(default_factory=lambda: np.arange(_VALUES))
    ignored: int = _IGNORED
    reduced: bool = False

    def labels(self, counts: np.ndarray) -> np.ndarray:
        """Pixels of each label (256,), from those of each value."""
        return np.bincount(self.table, weights=counts, minlength=_VALUES).astype(np.int64)

    def has_class(self, counts: np.ndarray) -> bool:
        """Whether any pixel is of a label that is not ignored."""
        labels = self.labels(counts)
        return bool(labels[np.arange(_VALUES) != self.ignored].any())

    @property
    def accepted(self) -> str:
        """The values that maps may have, in words."""
        first = 1 if self.reduced else 0
        classes = f"{first} to {self.classes - 1 + first} for the {self.classes} classes"
        unknown = f"0 and {self.ignored}" if self.reduced else self.ignored
        return f"{classes}, {unknown} where no class is known"

    def wrong_values(self, counts: np.ndarray) -> list[int]:
        """The values that become neither a class nor what is ignored."""
        bad = (self.table >= self.classes) & (self.table != self.ignored) & (counts > 0)
        return np.flatnonzero(bad).tolist()


def meaning_of(source: Source, ignored: int) -> Meaning:
    """What a run takes the values of a data set's maps for.

    Args:
        source: The data set; its classes are known.
        ignored: The value that the model's loss, or the metric, passes by.
    """
    table = np.arange(_VALUES)
    reduced = bool(setting(source, "reduce_zero_label", False))
    if reduced:
        table = np.where(table == 0, _IGNORED, table - 1)
        table[table == _IGNORED - 1] = _IGNORED
    of_type = tuple((getattr(source.kind, "METAINFO", None) or {}).get("classes") or ())
    classes = source.classes or ()
    if of_type and of_type != classes:
        before = table.copy()
        for number, name in enumerate(of_type):
            table[before == number] = classes.index(name) if name in classes else _IGNORED
    return Meaning(len(classes), table, ignored, reduced)


def check_maps(
    place: str, maps: Sequence[LabelMap | NoMap], meaning: Meaning, background: bool
) -> Iterator[Finding]:
    """Find files that are no maps, and values that are no classes.

    Args:
        place: Their folder.
        maps: Those that were opened.
        meaning: What their values are taken for.
        background: Whether the first class is what is beside the others.
    """
    for kind, (what, remedy) in FORMS.items():
        chosen = [one for one in maps if isinstance(one, NoMap) and one.kind == kind]
        if chosen:
            examples = some(f"{one.path}: {one.why}" for one in chosen)
            yield Finding(place, what, "label map", len(chosen), examples, _MAP, remedy)
    readable = [one for one in maps if isinstance(one, LabelMap)]
    if readable:
        total = np.sum([one.counts for one in readable], axis=0)
        fault = _binary(place, readable, total, meaning)
        fault = fault or _all_ignored(place, readable, total, meaning)
        if fault:
            yield fault
        else:
            yield from _check_values(place, readable, total, meaning, background)


def _maps(
    place: str,
    chosen: Sequence[LabelMap],
    what: str,
    remedy: str,
    value: Callable[[np.ndarray], str],
    accepted: str = "",
    is_fault: bool = True,
) -> Finding:
    """A finding on maps, each shown with what ``value`` makes of its counts."""
    examples = some(f"{one.path}: {value(one.counts)}" for one in chosen)
    return Finding(
        place, what, "label map", len(chosen), examples, accepted, remedy, is_fault=is_fault
    )


def _values(counts: np.ndarray) -> str:
    """The values that occur, in words."""
    values = np.flatnonzero(counts).tolist()
    listed = ", ".join(map(str, values[:8]))
    return f"values {listed}{', ...' if len(values) > 8 else ''}"


def _binary(
    place: str, maps: Sequence[LabelMap], total: np.ndarray, meaning: Meaning
) -> Finding | None:
    """Maps in black and white: their 255 would be ignored, and only the ground be learned."""
    if not (set(np.flatnonzero(total)) == {0, 255} and meaning.ignored == 255):
        return None
    return _maps(
        place,
        maps,
        "only the values 0 and 255, and 255 is ignored: no class but the first is learned",
        "write 1 for 255, or the number of the class",
        _values,
        f"class numbers 0 to {meaning.classes - 1}; {meaning.ignored} where no class is known",
    )


def _all_ignored(
    place: str, maps: Sequence[LabelMap], total: np.ndarray, meaning: Meaning
) -> Finding | None:
    """Maps without a single pixel of a class."""
    if meaning.has_class(total):
        return None
    why = " (reduce_zero_label=True ignores 0)" if meaning.reduced else ""
    return _maps(
        place,
        maps,
        f"nothing but ignored pixels{why}",
        "look whether the maps are the right ones, and reduce_zero_label is what they need",
        _values,
        "pixels of at least one class",
    )


def _check_values(
    place: str,
    maps: Sequence[LabelMap],
    total: np.ndarray,
    meaning: Meaning,
    background: bool,
) -> Iterator[Finding]:
    """Compare values with class numbers."""
    wrong = [one for one in maps if meaning.wrong_values(one.counts)]
    after_last = total[meaning.classes : meaning.classes + 1].sum()
    if wrong:
        starts_at_one = not meaning.reduced and not total[0] and after_last
        yield _maps(
            place,
            wrong,
            "values that are no class: they end the training, and a test passes by them",
            "the values begin at 1: write reduce_zero_label=True into the data set"
            if starts_at_one
            else "correct the values, or name all classes and set num_classes of the heads",
            lambda counts: _wrong_values(counts, meaning),
            meaning.accepted,
        )
    elif background and meaning.reduced and not after_last and total[0] > total[1]:
        # 0 is ignored, though there is more of it than of 1, which is taken for the background
        yield _maps(
            place,
            maps,
            "read with reduce_zero_label=True, which ignores 0 and takes 1 for the first class,"
            " `background`; the last class does not occur",
            "write reduce_zero_label=False into the data set and into LoadAnnotations",
            _values,
            meaning.accepted,
        )
    yield from _remarks(place, maps, meaning)


def _wrong_values(counts: np.ndarray, meaning: Meaning) -> str:
    values = meaning.wrong_values(counts)
    text = ", ".join(f"{value} ({counts[value]} pixels)" for value in values[:4])
    return f"value {text}{', ...' if len(values) > 4 else ''}"


def _remarks(place: str, maps: Sequence[LabelMap], meaning: Meaning) -> Iterator[Finding]:
    empty = [one for one in maps if not meaning.has_class(one.counts)]
    if empty:
        what = "nothing but ignored pixels"
        yield _maps(place, empty, what, "", _values, is_fault=False)
