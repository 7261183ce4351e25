"""Which images of folders a run takes, and is there a label map for each?"""

import inspect
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.fileio import list_dir_or_file, list_from_file

from .findings import Finding, some
from .folders import Folders
from .pictures import SUFFIXES
from .sources import Source

IMAGES, MAPS = "data_prefix.img_path", "data_prefix.seg_map_path"


@dataclass(frozen=True)
class Pairs:
    """The files of a data set in folders, as the library pairs them.

    Attributes:
        images: Pictures.
        maps: The label map of each; empty where the run reads none.
        image_folder: Where the pictures are.
        map_folder: Where the maps are; None where there are none.
    """

    images: list[Path]
    maps: list[Path]
    image_folder: Path
    map_folder: Path | None


def setting(source: Source, name: str, default: Any = None) -> Any:
    """An argument of the data set: the config's, or else the default of its class."""
    if name in source.cfg:
        return source.cfg[name]
    for base in source.kind.__mro__ if source.kind else ():
        if "__init__" in vars(base):
            parameter = inspect.signature(vars(base)["__init__"]).parameters.get(name)
            if parameter is not None and parameter.default is not inspect.Parameter.empty:
                return parameter.default
    return default


def find_pairs(source: Source) -> tuple[Pairs | None, list[Finding]]:
    """Find a data set's files as mmseg does: by a list of names, or all with the suffix.

    Returns:
        The files; None where there are none to look at; and what is wrong with their names.
    """
    folder = _folder(source, IMAGES)
    if folder is None:
        key = f"{source.key}.{IMAGES}"
        what, remedy = f"`{IMAGES}` is not given", f"--cfg-options {key}=FOLDER"
        return None, [Finding(source.key, what, accepted="a folder of images", remedy=remedy)]
    map_folder = _folder(source, MAPS) if source.annotation_loaders else None
    suffix, map_suffix = setting(source, "img_suffix", ".jpg"), setting(source, "seg_map_suffix")
    listed = source.path("ann_file")
    findings: list[Finding] = []
    if listed is not None and listed.is_file():
        stems, findings = _read_list(listed)
    else:
        names = sorted(list_dir_or_file(str(folder), list_dir=False, recursive=True))
        stems = [name.removesuffix(suffix) for name in names if name.endswith(suffix)]
        beside = map_folder is None or map_folder == folder
        findings = list(_check_suffixes(source, folder, names, suffix, beside))
    if not stems:
        return None, findings
    maps = [map_folder / (stem + map_suffix) for stem in stems] if map_folder else []
    return Pairs([folder / (stem + suffix) for stem in stems], maps, folder, map_folder), findings


def _folder(source: Source, name: str) -> Path | None:
    """A folder of the data set; without ``data_prefix`` all files are in its root."""
    if not source.cfg.get("data_prefix"):
        return Path(source.cfg.get("data_root") or "")
    return source.path(name)


def _read_list(listed: Path) -> tuple[list[str], list[Finding]]:
    """The names in a list, which have no suffix, and what is wrong with it."""
    place = str(listed)
    try:
        names = [line.strip() for line in list_from_file(str(listed))]
    except UnicodeDecodeError as error:
        what = f"the list is not text in UTF-8, at byte {error.start}"
        return [], [Finding(place, what, accepted="a name in each line", remedy="save it as UTF-8")]
    findings = []
    if names and names[0].startswith("\ufeff"):
        what = "the list begins with a byte order mark (BOM), which becomes part of the first name"
        findings.append(Finding(place, what, remedy="save it as UTF-8 without BOM"))
    blank = [number for number, name in enumerate(names, start=1) if not name]
    if blank and len(blank) < len(names):
        what, lines = "blank, and would be taken for a name", some(f"line {n}" for n in blank)
        findings.append(
            Finding(place, what, "line", len(blank), lines, "a name", "take the lines out")
        )
    twice = sorted(name for name, count in Counter(names).items() if name and count > 1)
    if twice:
        what, many = "more than once in the list", len(twice)
        findings.append(Finding(place, what, "name", many, some(twice), is_fault=False))
    kept = [name for name in names if name]
    if not kept:
        what = "the list is empty"
        findings.append(Finding(place, what, accepted="a name in each line", remedy="fill it"))
    return kept, findings


def _check_suffixes(
    source: Source, folder: Path, names: list[str], suffix: str, maps_beside: bool
) -> Iterator[Finding]:
    """Find pictures that are passed by because their names end in another way."""
    taken = [name for name in names if name.endswith(suffix)]
    other = [name for name in names if not name.endswith(suffix)]
    capital = [name for name in other if name.lower().endswith(suffix.lower())]
    option = f"--cfg-options {source.key}.img_suffix"
    if not taken:
        ends = Counter(Path(name).suffix for name in names).most_common(4)
        has = ", ".join(f"{end or 'no suffix'}: {count}" for end, count in ends) or "it is empty"
        yield Finding(
            str(folder),
            f"no file of the folder ends in img_suffix {suffix!r} ({has})",
            accepted=f"pictures NAME{suffix}, also in folders below",
            remedy=f"{option}={ends[0][0]}" if ends else "put the pictures there",
        )
    elif capital:
        yield Finding(
            str(folder),
            f"would be left out: the name ends in img_suffix {suffix!r} but for capitals",
            subject="file",
            count=len(capital),
            examples=some(capital),
            accepted=f"names that end in {suffix!r}, letter by letter",
            remedy="rename the files",
        )
    pictures = [n for n in other if Path(n).suffix.lower() in SUFFIXES and n not in capital]
    if taken and pictures and not maps_beside:
        what = f"picture left out: the name does not end in img_suffix {suffix!r}"
        shown = some(pictures)
        yield Finding(str(folder), what, "file", len(pictures), shown, is_fault=False)


def check_pairs(source: Source, pairs: Pairs, folders: Folders) -> tuple[list[int], list[Finding]]:
    """Look whether all files are there.

    Returns:
        The numbers of the images of which all files are there, and what was found.
    """
    absent = [("image", IMAGES, pairs.images, folders.missing(pairs.images))]
    if pairs.maps:
        absent.append(("label map", MAPS, pairs.maps, folders.missing(pairs.maps)))
    findings = [
        Finding(
            str(paths[lost[0]].parent),
            "not there",
            subject=subject,
            count=len(lost),
            examples=some(f"{paths[i]}{folders.hint(paths[i])}" for i in lost),
            accepted=_rule(source, subject),
            remedy=f"copy the files there, correct {source.key}.{key} or the suffix",
        )
        for subject, key, paths, lost in absent
        if lost
    ]
    gone = {number for _, _, _, lost in absent for number in lost}
    findings += _without_image(source, pairs)
    return [i for i in range(len(pairs.images)) if i not in gone], findings


def _rule(source: Source, subject: str) -> str:
    image, map_ = setting(source, "img_suffix"), setting(source, "seg_map_suffix")
    if subject == "image":
        return f"NAME{image} for each NAME of the list"
    return f"NAME{map_} for each image NAME{image}"


def _without_image(source: Source, pairs: Pairs) -> Iterator[Finding]:
    """Label maps that no image asks for; a list of names may leave some out."""
    if pairs.map_folder is None or source.path("ann_file") or not pairs.map_folder.is_dir():
        return
    suffix = setting(source, "seg_map_suffix")
    names = list_dir_or_file(str(pairs.map_folder), list_dir=False, recursive=True)
    asked = {str(path) for path in pairs.maps} | {str(path) for path in pairs.images}
    alone = sorted(
        name for name in names
        if name.endswith(suffix) and str(pairs.map_folder / name) not in asked
    )  # fmt: skip
    if alone:
        what, place = f"no image in {pairs.image_folder}", str(pairs.map_folder)
        yield Finding(place, what, "label map", len(alone), some(alone), is_fault=False)
