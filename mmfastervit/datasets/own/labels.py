"""Finding pictures and label maps, and the classes that the maps hold."""

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from .data import OwnData, usual_size
from .folder_pairs import ONE_CHANNEL, FolderPair, find_pairs
from .pictures import check_pictures
from .places import MAPS, PARTS, PICTURES, VALIDATION, below, files_in, listed, parted, sample

_IGNORED = 255
_SPLITS = ("train", "val")


def find_labels(folder: Path, val_share: float = 0.2) -> OwnData:
    """Find folders of pictures and those of label maps with the same names.

    Names of classes are read from ``classes.txt`` in ``folder``, one a line, where it is there.
    Where there is nothing to evaluate on, the pictures are parted by chance, always alike, by two
    lists of their names in ``folder``. Nothing is written here.

    Args:
        folder: Where to look.
        val_share: Of the pictures, for evaluation, where there are none for it.

    Raises:
        FileNotFoundError: There are no such folders.
        ValueError: The pictures or the maps are not what a run needs; the message says what to do.
    """
    pairs, others = find_pairs(folder)
    if "train" not in pairs:
        there = ", ".join(pairs) or "none"
        raise FileNotFoundError(
            f"{folder}: expected a folder of pictures and one of label maps with the same names "
            f"({', '.join(MAPS)}, one channel), to train on and to evaluate on, the latter with "
            f"one of {', '.join(VALIDATION)} in its path; found pairs for: {there}"
        )
    pictures = [path for pair in pairs.values() for path in files_in(pair.pictures, PICTURES)]
    maps = [path for pair in pairs.values() for path in _maps_of(pair)]
    suffixes = _suffix(pictures, "pictures"), _suffix(maps, "label maps")
    check_pictures(sample(pictures), "labels")
    size = usual_size([_size(path) for path in sample(pictures)])
    train = [path.stem for path in files_in(pairs["train"].pictures, PICTURES)]
    parts: dict[Path, str] = {}
    lists = dict.fromkeys(_SPLITS, "")
    if "val" not in pairs:
        pairs["val"] = pairs["train"]
        parts, train = _parted(folder, pairs["train"], train, val_share)
        lists = {split: path.name for split, path in zip(_SPLITS, parts, strict=True)}
    return OwnData(
        "labels",
        _classes(folder, maps),
        {s: (below(folder, pairs[s].pictures), below(folder, pairs[s].maps)) for s in _SPLITS},
        (max(size), min(size)),
        len(train),
        further={"picture_suffix, label_suffix": suffixes, "lists": lists},
        parts=parts,
        remark=_passed_over(folder, others),
    )


def _passed_over(folder: Path, others: Sequence[FolderPair]) -> str:
    """A config has one pair of folders to train on and one to evaluate on."""
    if not others:
        return ""
    return f"passed over, with label maps: {listed(folder, [pair.pictures for pair in others])}"


def _maps_of(pair: FolderPair) -> list[Path]:
    """The label maps that pictures have."""
    stems = {path.stem for path in files_in(pair.pictures, PICTURES)}
    return [path for path in files_in(pair.maps, MAPS) if path.stem in stems]


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def _parted(
    folder: Path, pair: FolderPair, stems: list[str], share: float
) -> tuple[dict[Path, str], list[str]]:
    """Two lists of names, by the files to write them to, and the names to train on."""
    if len(stems) < 2:
        raise ValueError(
            f"{pair.pictures} has one picture: two are needed, to train and to evaluate on"
        )
    of_both = [sorted(part) for part in parted(stems, share)]
    name = pair.pictures.resolve().name
    paths = [folder / f"{name}{end}.txt" for end in PARTS]
    texts = ["".join(f"{stem}\n" for stem in part) for part in of_both]
    return dict(zip(paths, texts, strict=True)), of_both[0]


def _suffix(paths: Sequence[Path], what: str) -> str:
    """How the names of all files end: a data set of mmseg takes one ending."""
    counts = Counter(path.suffix for path in paths)
    if len(counts) > 1:
        told = ", ".join(f"{number} {suffix}" for suffix, number in sorted(counts.items()))
        raise ValueError(
            f"{_folders(paths)}: {what} of several endings, {told}: mmseg takes one ending for all "
            "and leaves out the others; store all in one format, with names that end alike"
        )
    return next(iter(counts))


def _folders(paths: Iterable[Path]) -> str:
    return ", ".join(sorted({str(path.parent) for path in paths}))


def _classes(folder: Path, maps: Sequence[Path]) -> tuple[str, ...]:
    """Names of the labels from 0 on, from ``classes.txt`` or made up."""
    found = _labels(maps)
    highest = max((label for label in found if label != _IGNORED), default=0)
    if highest == 0:
        raise ValueError(f"{_folders(maps)}: {_why_one_class(_IGNORED in found)}")
    named = folder / "classes.txt"
    if not named.is_file():
        return tuple(f"class_{i}" for i in range(highest + 1))
    names = [name.strip() for name in named.read_text(encoding="utf-8").split("\n")]
    classes = tuple(name for name in names if name)
    if len(classes) <= highest:
        raise ValueError(
            f"{named} names {len(classes)} classes, and {found[highest]} has the label {highest}: "
            "a name for each label from 0 on is needed"
        )
    return classes


def _labels(maps: Sequence[Path]) -> dict[int, Path]:
    """Each value of the maps, with the first map that has it."""
    found: dict[int, Path] = {}
    with ThreadPoolExecutor(max_workers=4) as pool:
        for path, values in zip(maps, pool.map(_values, maps), strict=True):
            for value in values:
                found.setdefault(value, path)
    return found


def _values(path: Path) -> list[int]:
    try:
        with Image.open(path) as image:
            mode, labels = image.mode, np.asarray(image)
    except OSError as error:
        raise ValueError(f"{path} can't be read ({error}): copy it again") from error
    if mode not in ONE_CHANNEL or labels.max() > _IGNORED:
        raise ValueError(
            f"{path} is no label map: one channel is accepted, whose values up to {_IGNORED} are "
            f"the labels from 0 on; this has {'colours' if labels.ndim > 2 else labels.max()}"
        )
    return np.flatnonzero(np.bincount(labels.astype(np.uint8).ravel())).tolist()


def _why_one_class(has_ignored: bool) -> str:
    if not has_ignored:
        return "all label maps hold 0 alone: two labels are needed, such as 0 and 1"
    return (
        "all label maps hold 0 and 255 alone, and 255 is ignored in training, so that one class is "
        "left; on a copy of the folder, write 1 in the place of 255, with Python for each file: "
        "Image.fromarray((np.asarray(Image.open(file)) == 255).astype('uint8')).save(file)"
    )
