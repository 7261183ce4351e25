"""Which folders hold pictures, and which the label maps of these pictures."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from .places import MAPS, PICTURES, files_in, folders_of, is_validation, words_of

_OF_MAPS = {
    *("label", "labels", "map", "maps", "mask", "masks", "ann", "anns", "annotation"),
    *("annotations", "semantic", "segmentation", "segmentations", "gt"),
}
_OF_PICTURES = {"image", "images", "img", "imgs", "picture", "pictures", "photo", "photos"}
_SHALLOW = ("1", "L", "P")  # Pillow's names of one channel of 8 bits or fewer
ONE_CHANNEL = (*_SHALLOW, "I;16", "I")
_VALUES = 200  # a picture of one channel has more of them, where no name says what it is


@dataclass(frozen=True)
class FolderPair:
    """A folder of pictures and that of their label maps.

    Attributes:
        pictures: The one.
        maps: The other.
        missing: Names, without their endings, of the pictures that have no map there.
    """

    pictures: Path
    maps: Path
    missing: tuple[str, ...] = ()


def find_pairs(folder: Path) -> tuple[dict[str, FolderPair], list[FolderPair]]:
    """The first pair to train on and the first to evaluate on, as ``train`` and ``val``; others.

    What a folder's name says goes before what its files look like: pictures of one channel may have
    few values too. Pictures to train on and to evaluate on may have the same names: maps for the
    same of the two go first, and a set to test on is the last to evaluate on.

    Raises:
        ValueError: A split has no other pair than one where some pictures have no map.
    """
    whole: dict[str, FolderPair] = {}
    in_part: dict[str, FolderPair] = {}
    pairs = sorted(_all_pairs(folder), key=lambda one: "test" in words_of(folder, one.pictures))
    for pair in pairs:
        split = "val" if is_validation(folder, pair.pictures) else "train"
        (in_part if pair.missing else whole).setdefault(split, pair)
    for split, pair in in_part.items():
        if split not in whole:
            raise ValueError(
                f"{pair.maps} has no label map for {len(pair.missing)} of the pictures in "
                f"{pair.pictures}, such as {pair.missing[0]}: add them, or take the pictures out"
            )
    return whole, [pair for pair in pairs if not pair.missing and pair not in whole.values()]


def _all_pairs(folder: Path) -> Iterable[FolderPair]:
    folders = folders_of(folder)
    stems = {place: {path.stem for path in files_in(place, PICTURES)} for place in folders}
    kinds = {place: _named_kind(folder, place) for place in folders}
    named = [place for place in folders if kinds[place] == "maps" and files_in(place, MAPS)]
    unnamed = [place for place in folders if kinds[place] is None and _look_like_maps(place)]
    for place in folders:
        if not stems[place] or kinds[place] == "maps":
            continue
        others = named if place in unnamed else [*named, *unnamed]
        pair = _best(folder, place, others, stems)
        if pair:
            yield pair


def _best(
    folder: Path, place: Path, others: Iterable[Path], stems: dict[Path, set[str]]
) -> FolderPair | None:
    """The folder of maps that fits these pictures best; of some, only one of the same split."""
    split = is_validation(folder, place)

    def rank(one: Path) -> tuple[bool, int, bool, bool]:
        are_maps = all(_mode(path) in ONE_CHANNEL for path in files_in(one, MAPS)[:3])
        lacking, is_other = len(stems[place] - stems[one]), is_validation(folder, one) != split
        return is_other, lacking, not are_maps, stems[one] != stems[place]

    fitting = [
        one
        for one in others
        if stems[place] <= stems[one]
        or (stems[place] & stems[one] and is_validation(folder, one) == split)
    ]
    if not fitting:
        return None
    best = min(fitting, key=rank)
    return FolderPair(place, best, tuple(sorted(stems[place] - stems[best])))


def _named_kind(folder: Path, place: Path) -> str | None:
    """``maps`` or ``pictures``, as the last part of the path has it that says one of them."""
    for part in reversed(place.relative_to(folder).parts):
        words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", part)}
        if words & _OF_MAPS:
            return "maps"
        if words & _OF_PICTURES:
            return "pictures"
    return None


def _mode(path: Path) -> str:
    try:
        with Image.open(path) as image:
            return image.mode
    except UnidentifiedImageError:
        return ""


def _look_like_maps(place: Path) -> bool:
    """Whether the first files are pictures of one channel without loss, of few values."""
    some = files_in(place, MAPS)[:3]
    return bool(some) and all(
        _mode(path) in _SHALLOW and len(np.unique(np.asarray(Image.open(path)))) <= _VALUES
        for path in some
    )
