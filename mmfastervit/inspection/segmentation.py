"""A look at a segmentation data set in folders: images, label maps, and what the maps hold."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .class_names import names_background
from .findings import Finding, counted, some
from .folders import Folders
from .heads import ignored_value
from .label_maps import LabelMap, Meaning, NoMap, check_maps, meaning_of, read_map
from .pairs import Pairs, check_pairs, find_pairs, setting
from .pictures import Opening, Picture, may_be_turned, mismatch, remark_dropped, try_picture
from .pipeline import image_decoding, map_decoding
from .sources import Source

_Opened = tuple[Path, Picture | str | None, LabelMap | NoMap | None]  # None: not opened


def look_at_folders(
    source: Source, model: Any, opening: Opening, folders: Folders
) -> tuple[list[Finding], str]:
    """Look at a data set.

    Returns:
        What was found, and what the data set holds, in some lines.
    """
    findings = list(_check_settings(source))
    pairs, found = find_pairs(source)
    findings += found
    if pairs is None:
        return findings, ""
    whole, found = check_pairs(source, pairs, folders)
    findings += found
    chosen = opening.chosen(whole)
    opened = _open(source, pairs, chosen, opening)
    findings += _check_images(str(pairs.image_folder), opened)
    maps = [one for _, _, one in opened if one is not None]
    meaning = meaning_of(source, ignored_value(model))
    if maps:
        place = str(pairs.map_folder)
        findings += _check_sizes(place, opened)
        if source.classes is not None:
            findings += check_maps(place, maps, meaning, names_background(source))
    return findings, _summary(source, pairs, maps, meaning, opening, len(whole))


def _check_settings(source: Source) -> Iterator[Finding]:
    """mmseg ends a run whose pipeline and data set disagree on ``reduce_zero_label``."""
    for loader in source.annotation_loaders:
        wanted, has = loader.get("reduce_zero_label"), setting(source, "reduce_zero_label", False)
        if wanted is not None and wanted != has:
            yield Finding(
                source.key,
                f"`reduce_zero_label` is {has} in the data set and {wanted} in LoadAnnotations",
                accepted="the same in both; True where 0 in the maps is no class",
                remedy="leave it out of LoadAnnotations, and write what holds into the data set",
            )


def _open(source: Source, pairs: Pairs, chosen: list[int], opening: Opening) -> list[_Opened]:
    """Open images and their maps."""
    for_image, for_map = image_decoding(source), map_decoding(source)

    def open_pair(number: int) -> _Opened:
        image = pairs.images[number]
        picture = try_picture(image, for_image) if for_image else None
        has_map = for_map is not None and number < len(pairs.maps)
        label = read_map(pairs.maps[number], for_map) if for_map and has_map else None
        return image, picture, label

    return list(opening.each(open_pair, chosen, f"pictures of {source.key}"))


def _check_images(place: str, opened: list[_Opened]) -> Iterator[Finding]:
    unreadable = [(path, why) for path, why, _ in opened if isinstance(why, str)]
    if unreadable:
        yield Finding(
            place,
            "can't be read",
            subject="image",
            count=len(unreadable),
            examples=some(f"{path}: {why}" for path, why in unreadable),
            accepted="a whole picture that OpenCV reads",
            remedy="copy the files again, or take the images out",
        )
    pictures = [(path, picture) for path, picture, _ in opened if isinstance(picture, Picture)]
    yield from remark_dropped(place, pictures)
    turned = [
        (path, picture)
        for path, picture, label in opened
        if isinstance(picture, Picture) and may_be_turned(picture) and label is not None
    ]
    if turned:
        yield Finding(
            place,
            "turned or mirrored by EXIF data; look whether its label map fits it as it is shown",
            subject="image",
            count=len(turned),
            examples=some(f"{path}, orientation {p.orientation}" for path, p in turned),
            is_fault=False,
        )


_MISMATCHES = {
    "turned": (
        "of the size before EXIF data turn the image, as a run turns it",
        "LoadImageFromFile(color_type='color_ignore_orientation') leaves images as the maps are; "
        "or store the images upright, without the EXIF entry",
    ),
    "swapped": (
        "width and height of the image swapped",
        "turn it, or look whether it belongs to this image",
    ),
    "other": ("of another size than the image", "write one label for each pixel of the image"),
}


def _check_sizes(place: str, opened: list[_Opened]) -> Iterator[Finding]:
    pairs = [
        (label, picture)
        for _, picture, label in opened
        if isinstance(picture, Picture) and isinstance(label, LabelMap)
    ]
    for kind, (what, remedy) in _MISMATCHES.items():
        wrong = [(a, b) for a, b in pairs if mismatch(a.picture.size, b) == kind]
        if wrong:
            yield Finding(
                place,
                what,
                subject="label map",
                count=len(wrong),
                examples=some(
                    f"{label.path}: {_size(label.picture)}, its image: {_size(picture)}"
                    for label, picture in wrong
                ),
                accepted="width and height of the image as it is read",
                remedy=remedy,
            )


def _size(picture: Picture) -> str:
    return f"{picture.size[0]}x{picture.size[1]}"


def _summary(
    source: Source,
    pairs: Pairs,
    maps: list[LabelMap | NoMap],
    meaning: Meaning,
    opening: Opening,
    there: int,
) -> str:
    """The lines on a data set, the first with its place in the config."""
    lines = [
        f"{source.key}: folders, {pairs.image_folder}",
        f"  {counted(len(pairs.images), 'image')}, {counted(len(pairs.maps), 'label map')}; "
        f"opened: {opening.told(there)}",
    ]
    readable = [one for one in maps if isinstance(one, LabelMap)]
    if readable and source.classes is not None:
        total = np.sum([one.counts for one in readable], axis=0)
        lines.append(f"  pixels of the opened maps: {_histogram(source.classes, meaning, total)}")
    return "\n".join(lines)


def _histogram(classes: tuple[str, ...], meaning: Meaning, counts: np.ndarray) -> str:
    """The share of each class, and of what is ignored."""
    labels = meaning.labels(counts)
    shares = 100 * labels / max(labels.sum(), 1)
    known = [f"{name} {shares[number]:.1f} %" for number, name in enumerate(classes)]
    if len(classes) > 20:
        order = np.argsort(-labels[: len(classes)])
        absent = int((labels[: len(classes)] == 0).sum())
        known = [known[i] for i in order[:20]] + [f"... ({absent} classes do not occur)"]
    if len(classes) <= meaning.ignored < len(labels) and labels[meaning.ignored]:
        known.append(f"ignored {shares[meaning.ignored]:.1f} %")
    return ", ".join(known)
