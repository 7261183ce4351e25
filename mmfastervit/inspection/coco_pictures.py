"""The pictures of a COCO data set: are they there, whole, and as large as stated?"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .coco_entries import named
from .coco_objects import Objects
from .findings import Finding, some
from .folders import Folders
from .pictures import Opening, Picture, may_be_turned, mismatch, remark_dropped, try_picture
from .pipeline import image_decoding
from .sources import Source

PREFIX = "data_prefix.img"
_HARM = "boxes are cut and masks are placed by what is stated"


@dataclass(frozen=True)
class _Listed:
    """A picture that a file lists.

    Attributes:
        path: Where it is.
        image: Its entry.
        row: The place of the entry in the list.
        stated: Width and height in pixels, as the file states them; NaN where they are no sizes.
    """

    path: Path
    image: dict
    row: int
    stated: tuple[float, float]

    @property
    def name(self) -> str:
        """The image, as a message calls it."""
        return named("images", self.image, self.row)


def look_at_pictures(
    path: Path,
    source: Source,
    images: list[dict],
    objects: Objects,
    opening: Opening,
    folders: Folders,
) -> tuple[list[Finding], str]:
    """Find pictures that are not there, and, of those that are opened, what they are not.

    Args:
        path: The annotation file.
        source: The data set.
        images: Its ``images``.
        objects: Its columns.
        opening: Which pictures are opened.
        folders: What is in folders.

    Returns:
        What was found, and which pictures were opened, in words.
    """
    prefix = source.path(PREFIX) or Path()
    listed = [
        _Listed(Path(prefix, image["file_name"]), image, row, tuple(size))
        for row, (image, size) in enumerate(zip(images, objects.sizes.tolist(), strict=True))
        if isinstance(image.get("file_name"), str)
    ]
    absent = set(folders.missing(one.path for one in listed))
    findings = []
    if absent:
        lost = [listed[i] for i in sorted(absent)]
        findings.append(_absent(path, source, lost, folders))
    decoding = image_decoding(source)
    if decoding is None:
        return findings, "none, as no LoadImageFromFile reads them from this machine"
    there = [one for i, one in enumerate(listed) if i not in absent]
    chosen = opening.chosen(there)
    what = f"pictures of {source.key}"
    read = list(opening.each(lambda one: try_picture(one.path, decoding), chosen, what))
    findings += _check_read(path, list(zip(chosen, read, strict=True)))
    return findings, opening.told(len(there))


def _absent(path: Path, source: Source, lost: list[_Listed], folders: Folders) -> Finding:
    return Finding(
        str(path),
        "file not there",
        subject="image",
        count=len(lost),
        examples=some(f"{one.name}: {one.path}{folders.hint(one.path)}" for one in lost),
        accepted=f"`file_name` from {source.path(PREFIX)} on, which {source.key}.{PREFIX} names",
        remedy="copy the files there, correct the folder, or take the images out of the list",
    )


def _check_read(path: Path, read: list[tuple[_Listed, Picture | str]]) -> Iterator[Finding]:
    unreadable = [(one, why) for one, why in read if isinstance(why, str)]
    if unreadable:
        yield Finding(
            str(path),
            "file that can't be read",
            subject="image",
            count=len(unreadable),
            examples=some(f"{one.name}: {one.path} {why}" for one, why in unreadable),
            accepted="a whole picture that OpenCV reads",
            remedy="copy the files again, or take the images out of the list",
        )
    pictures = [(one, picture) for one, picture in read if isinstance(picture, Picture)]
    yield from _check_sizes(path, pictures)
    yield from remark_dropped(str(path), ((one.path, picture) for one, picture in pictures))
    turned = [(one, p) for one, p in pictures if may_be_turned(p) and _fits(one, p)]
    if turned:
        yield Finding(
            str(path),
            "turned or mirrored by EXIF data; look whether boxes fit the picture as it is shown",
            subject="image",
            count=len(turned),
            examples=some(f"{one.path}, orientation {p.orientation}" for one, p in turned),
            is_fault=False,
        )


def _fits(one: _Listed, picture: Picture) -> bool:
    return one.stated == picture.size


_MISMATCHES = {
    "turned": (
        "`width` and `height` are those before EXIF data turn the picture, as a run turns it; boxes"
        " then lie elsewhere",
        "LoadImageFromFile(color_type='color_ignore_orientation') leaves pictures as the labels"
        " are; or store them upright, without the EXIF entry",
    ),
    "swapped": ("`width` and `height` are swapped", "exchange them"),
    "other": ("`width` and `height` are not the file's", "write what the file has"),
}


def _check_sizes(path: Path, pictures: list[tuple[_Listed, Picture]]) -> Iterator[Finding]:
    """Compare stated with real sizes; where none is stated, that is told elsewhere."""
    for kind, (what, remedy) in _MISMATCHES.items():
        wrong = [
            (one, picture)
            for one, picture in pictures
            if not np.isnan(one.stated[0]) and mismatch(one.stated, picture) == kind
        ]
        if wrong:
            yield Finding(
                str(path),
                what,
                subject="image",
                count=len(wrong),
                examples=some(
                    f"{one.name}: {one.stated[0]:g}x{one.stated[1]:g} stated, "
                    f"{picture.size[0]}x{picture.size[1]} read"
                    for one, picture in wrong
                ),
                accepted=f"the size of the picture as it is read; {_HARM}",
                remedy=remedy,
            )
