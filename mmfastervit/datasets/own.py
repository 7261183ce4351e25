"""Finding what a folder of one's own data holds: COCO files with their pictures, or label maps."""

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from mmfastervit.files import written_whole

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
MAPS = (".png", ".bmp", ".tif", ".tiff")
VALIDATION = ("val", "valid", "validation", "test", "dev")
_DEPTH = 4  # folders below the one that is named
_LOOKED_AT = 50  # pictures, for their size and the values of their maps
_STEPS = 12_000  # images that a model sees in training, at least
_IGNORED = 255
_PARTS = ("_part-train", "_part-val")  # how the names of a parted file's parts end
LARGEST = (1333, 800)  # width and height that a detector's pictures are resized to


@dataclass(frozen=True)
class OwnData:
    """What a folder holds, in the words of the templates in ``configs/own``.

    Args:
        template: ``boxes``, ``masks`` or ``labels``.
        classes: Their names, in order.
        files: For ``train`` and ``val`` what the template's line ``files`` holds.
        image_scale: What pictures are resized to, in pixels.
        images: Pictures to train on.
        suffixes: How pictures and label maps end; only of ``labels``.
        parts: COCO files to write with :func:`write_parts`, by path; only of a single one.
    """

    template: str
    classes: tuple[str, ...]
    files: Mapping[str, tuple[str, str]]
    image_scale: tuple[int, int]
    images: int
    suffixes: tuple[str, str] | None = None
    parts: Mapping[Path, dict] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """As many that 12 000 images are seen, from 12 to 200."""
        return min(200, max(12, round(_STEPS / self.images)))


def find_instances(
    folder: Path, train: str | None = None, val: str | None = None, val_share: float = 0.2
) -> OwnData:
    """Find COCO files and the pictures that they list.

    Where there is one file alone, its images are parted by chance, always alike, into two files
    beside it. Nothing is written here, and files of an earlier parting are passed over.

    Args:
        folder: Where to look.
        train: The file to train on, where there are several; below ``folder``.
        val: That to evaluate on.
        val_share: Of the images of a single file, for evaluation.

    Raises:
        FileNotFoundError: There is no such file, or no folder has its pictures.
        ValueError: It is not clear which file is which; the message names them.
    """
    files_there = [path for path in _files(folder, (".json",)) if not path.stem.endswith(_PARTS)]
    found = {path: content for path in files_there if (content := _coco(path))}
    if not found:
        raise FileNotFoundError(
            f"{folder}: no file in COCO's format, which is JSON with the lists 'images', "
            "'annotations' and 'categories'"
        )
    chosen = _chosen(folder, list(found), train, val)
    parts: dict[Path, dict] = {}
    if len(chosen) == 1:
        parts, chosen = _parted(chosen["train"], found[chosen["train"]], val_share)
        found |= parts
    contents = {split: found[path] for split, path in chosen.items()}
    files = {}
    for split in ("train", "val"):
        path = chosen[split]
        names = [image["file_name"] for image in contents[split]["images"]]
        pictures = _folder_of(folder, names, _is_validation(folder, path))
        files[split] = (_below(folder, path), pictures)
    annotations, images = contents["train"]["annotations"], contents["train"]["images"]
    has_masks = bool(annotations) and all(one.get("segmentation") for one in annotations)
    return OwnData(
        "masks" if has_masks else "boxes",
        # in the file's order, by which mmdet numbers them
        tuple(one["name"] for one in contents["train"]["categories"]),
        files,
        _scale([(one["width"], one["height"]) for one in images if one.get("width")]),
        len(images),
        parts=parts,
    )


def write_parts(data: OwnData) -> None:
    """Write the two parts of a single COCO file."""
    for path, content in data.parts.items():
        with written_whole(path) as file:
            file.write_text(json.dumps(content), encoding="utf-8")


def find_labels(folder: Path) -> OwnData:
    """Find folders of pictures and those of label maps with the same names.

    Names of classes are read from ``classes.txt`` in ``folder``, one a line, where it is there.

    Raises:
        FileNotFoundError: There are no such folders, or none to evaluate on.
    """
    pairs: dict[str, tuple[Path, Path]] = {}
    for pair in _pairs(folder):
        pairs.setdefault("val" if _is_validation(folder, pair[0]) else "train", pair)
    if set(pairs) != {"train", "val"}:
        there = ", ".join(sorted(pairs)) or "none"
        raise FileNotFoundError(
            f"{folder}: expected a folder of pictures and one of label maps with the same names "
            f"({', '.join(MAPS)}, one channel), to train on and to evaluate on, the latter with "
            f"one of {', '.join(VALIDATION)} in its path; found pairs for: {there}"
        )
    values = _values(pairs["train"][1])
    named = folder / "classes.txt"
    number = max(values, default=0) + 1
    classes = [f"class_{i}" for i in range(number)]
    if named.is_file():
        classes = named.read_text(encoding="utf-8").split("\n")
        classes = [name.strip() for name in classes if name.strip()]
    if len(classes) < number:
        raise ValueError(
            f"{named} names {len(classes)} classes, and {pairs['train'][1]} has the label "
            f"{number - 1}: a name for each label from 0 on is needed"
        )
    pictures, maps = _some_of(pairs["train"][0], PICTURES), _some_of(pairs["train"][1], MAPS)
    sizes = [Image.open(path).size for path in pictures[:_LOOKED_AT]]
    width, height = (round(median(side)) for side in zip(*sizes, strict=True))
    return OwnData(
        "labels",
        tuple(classes),
        {
            split: (_below(folder, pairs[split][0]), _below(folder, pairs[split][1]))
            for split in ("train", "val")
        },
        (max(width, height), min(width, height)),
        len(pictures),
        (pictures[0].suffix, maps[0].suffix),
    )


def _files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Files of some kinds, at most a few folders down, without hidden ones."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in suffixes
        and len(path.relative_to(folder).parts) <= _DEPTH
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _below(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _coco(path: Path) -> dict | None:
    """The content of a COCO file; None of any other."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, OSError):  # whatever it is, it is none of COCO's
        return None
    lists = ("images", "annotations", "categories")
    is_coco = isinstance(content, dict) and all(isinstance(content.get(k), list) for k in lists)
    return content if is_coco and content["images"] else None


def _chosen(folder: Path, paths: list[Path], train: str | None, val: str | None) -> dict[str, Path]:
    """Which file is to train on and which to evaluate on; the only one is to train on."""
    named = {split: folder / name for split, name in (("train", train), ("val", val)) if name}
    for split, path in named.items():
        if path not in paths:
            raise FileNotFoundError(
                f"--{split} {path}: no file in COCO's format; there are {_listed(folder, paths)}"
            )
    rest = [path for path in paths if path not in named.values()]
    for split, is_val in (("val", True), ("train", False)):
        if split not in named:
            candidates = [p for p in rest if _is_validation(folder, p) == is_val]
            if len(candidates) > 1:
                raise ValueError(
                    f"which file is for {split}? --{split} names one of "
                    f"{_listed(folder, candidates)}"
                )
            if candidates:
                named[split] = candidates[0]
    if "train" not in named:
        named["train"] = named.pop("val")
    return named


def _listed(folder: Path, paths: Iterable[Path]) -> str:
    return ", ".join(_below(folder, path) for path in paths)


def _is_validation(folder: Path, path: Path) -> bool:
    words = "/".join(path.relative_to(folder).parts).lower()
    for sign in "/_-. 0123456789":
        words = words.replace(sign, " ")
    return any(word in VALIDATION for word in words.split())


def _parted(path: Path, content: dict, share: float) -> tuple[dict, dict[str, Path]]:
    """The two parts of a COCO file, and the files beside it that they belong in."""
    images = sorted(content["images"], key=lambda image: str(image["id"]))
    random.Random(0).shuffle(images)
    cut = max(1, round(len(images) * share))
    if len(images) < 2:
        raise ValueError(f"{path} lists one picture: two are needed, to train and to evaluate on")
    found, chosen = {}, {}
    for split, suffix, part in zip(
        ("train", "val"), _PARTS, (images[cut:], images[:cut]), strict=True
    ):
        ids = {image["id"] for image in part}
        annotations = [one for one in content["annotations"] if one["image_id"] in ids]
        target = path.with_name(f"{path.stem}{suffix}.json")
        found[target] = {**content, "images": part, "annotations": annotations}
        chosen[split] = target
    return found, chosen


def _folder_of(folder: Path, names: Sequence[str], is_validation: bool) -> str:
    """The folder below which the listed pictures lie, as ``data_prefix`` has it.

    Where pictures to train on and to evaluate on have the same names, it is that of the same set as
    the file that lists them.
    """
    some = names[:_LOOKED_AT]
    folders = [folder, *(path for path in sorted(folder.rglob("*")) if path.is_dir())]
    for place in sorted(folders, key=lambda one: _is_validation(folder, one) != is_validation):
        if all((place / name).is_file() for name in some):
            relative = _below(folder, place)
            return "" if relative == "." else f"{relative}/"
    raise FileNotFoundError(
        f"{folder}: no folder below it has the pictures that are listed, such as {some[0]}"
    )


def _pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Folders of pictures, each with that of its label maps.

    Pictures to train on and to evaluate on may have the same names: maps for the same of the two go
    first.
    """
    folders = [folder, *(path for path in sorted(folder.rglob("*")) if path.is_dir())]
    stems = {place: {path.stem for path in _some_of(place, PICTURES)} for place in folders}
    maps = [place for place in folders if _holds_maps(place)]
    for place in folders:
        if not stems[place] or place in maps:
            continue
        names = stems[place]
        fitting = [one for one in maps if names <= stems[one]]
        split = _is_validation(folder, place)
        fitting.sort(key=lambda one: (_is_validation(folder, one) != split, stems[one] != names))
        if fitting:
            yield place, fitting[0]


def _some_of(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.suffix.lower() in suffixes]


def _holds_maps(folder: Path) -> bool:
    """Whether the first files are pictures of one channel without loss, of few values."""
    some = _some_of(folder, MAPS)[:3]
    return bool(some) and all(
        Image.open(path).mode in ("L", "P") and len(np.unique(np.asarray(Image.open(path)))) <= 200
        for path in some
    )


def _values(folder: Path) -> set[int]:
    """Labels in the first maps of a folder, but for that which is ignored."""
    maps = _some_of(folder, MAPS)[:_LOOKED_AT]
    return {int(v) for path in maps for v in np.unique(np.asarray(Image.open(path)))} - {_IGNORED}


def _scale(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The usual size of pictures, as far as it is not larger than detectors' are."""
    if not sizes:
        return LARGEST
    width, height = (round(median(side)) for side in zip(*sizes, strict=True))
    factor = min(1.0, LARGEST[0] / max(width, height), LARGEST[1] / min(width, height))
    return round(width * factor), round(height * factor)
