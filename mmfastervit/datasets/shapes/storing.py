"""A set on disk: written beside its place, moved there when whole, and kept when it is the same."""

import json
import logging
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from .coco import coco_annotation
from .painting import render_scene
from .scene import MIN_SIZE, SHAPE_CLASSES

logger = logging.getLogger(__name__)

_FORMAT = "mmfastervit-shapes"
_FORMAT_VERSION = 2
_MANIFEST = "dataset.json"
_FOLDERS = {"train": "training", "val": "validation"}
_JPEG_OPTIONS = (cv2.IMWRITE_JPEG_QUALITY, 92)


@dataclass(frozen=True)
class _Arguments:
    """What decides every byte of a set: images per split, side (px) and seed."""

    train: int
    val: int
    size: int
    seed: int

    def __post_init__(self) -> None:
        for name, least in {"train": 1, "val": 1, "size": MIN_SIZE, "seed": 0}.items():
            if (value := getattr(self, name)) < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in asdict(self).items())

    def files(self) -> set[str]:
        """All files of a finished set, relative to its folder."""
        files = {_MANIFEST, *(f"instances_{split}.json" for split in _FOLDERS)}
        for split in _FOLDERS:
            files.update(*(_pictures(split, index) for index in range(getattr(self, split))))
        return files


def _pictures(split: str, index: int) -> tuple[str, str]:
    """Where an image and its semantic map stand in the set's folder."""
    folder, stem = _FOLDERS[split], f"{index:06d}"
    return f"images/{folder}/{stem}.jpg", f"annotations/{folder}/{stem}.png"


def _write_json(path: Path, content: dict, indent: int | None = None) -> None:
    path.write_text(json.dumps(content, indent=indent) + "\n", encoding="utf-8")


def _write_picture(path: Path, picture: np.ndarray, options: tuple[int, ...] = ()) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _, encoded = cv2.imencode(path.suffix, picture, options)
    path.write_bytes(encoded.tobytes())


def _write_split(root: Path, split: str, arguments: _Arguments) -> dict[str, int]:
    """Write one split's pictures, maps and COCO file; return its objects per class."""
    count, size = getattr(arguments, split), arguments.size
    split_index = list(_FOLDERS).index(split)
    images: list[dict] = []
    annotations: list[dict] = []
    for index in range(count):
        scene = render_scene(np.random.default_rng([arguments.seed, split_index, index]), size)
        picture, semantic_map = (root / name for name in _pictures(split, index))
        _write_picture(picture, cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR), _JPEG_OPTIONS)
        _write_picture(semantic_map, scene.semantic_map())
        image_id = index + 1
        images.append({"id": image_id, "file_name": picture.name, "width": size, "height": size})
        for mask, label in zip(scene.masks, scene.labels, strict=True):
            number = len(annotations) + 1
            annotations.append(coco_annotation(mask, label, image_id, number))
        if image_id % 100 == 0 or image_id == count:
            logger.info("%s: %d of %d images", split, image_id, count)
    categories = [{"id": id_, "name": name} for id_, name in enumerate(SHAPE_CLASSES, start=1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    _write_json(root / f"instances_{split}.json", content)
    seen = Counter(SHAPE_CLASSES[annotation["category_id"] - 1] for annotation in annotations)
    return {name: seen[name] for name in SHAPE_CLASSES}


def _write_all(root: Path, arguments: _Arguments) -> None:
    objects = {split: _write_split(root, split, arguments) for split in _FOLDERS}
    manifest = {
        "format": _FORMAT,
        "version": _FORMAT_VERSION,
        "arguments": asdict(arguments),
        "classes": SHAPE_CLASSES,
        "images": {split: getattr(arguments, split) for split in _FOLDERS},
        "objects": objects,
    }
    _write_json(root / _MANIFEST, manifest, indent=2)


def _made_with(out: Path) -> _Arguments | None:
    """The arguments of the set in `out`; None if it was not made by this version of the code."""
    try:
        manifest = json.loads((out / _MANIFEST).read_text(encoding="utf-8"))
        if (manifest["format"], manifest["version"]) != (_FORMAT, _FORMAT_VERSION):
            return None
        return _Arguments(**manifest["arguments"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_reusable(out: Path, arguments: _Arguments, overwrite: bool) -> bool:
    """Whether `out` already holds the wanted set; False where one may be put there.

    Raises:
        FileExistsError: something is there that is neither the wanted set nor may be replaced.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    made = _made_with(out)
    if made is None:
        raise FileExistsError(
            f"{out} exists and has no {_MANIFEST} of this version, so it is not replaced, not even "
            "with --overwrite; give another --out or remove it yourself"
        )
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()}
    if overwrite:
        if foreign := found - made.files():
            raise FileExistsError(
                f"{out} holds {len(foreign)} files that are not of the shapes set, such as "
                f"{min(foreign)}, so it is not overwritten; move them away or give another --out"
            )
        return False
    if made != arguments:
        raise FileExistsError(
            f"{out} holds a shapes set made with {made}, not with {arguments}; give --overwrite "
            "to replace it or another --out"
        )
    if missing := made.files() - found:
        raise FileExistsError(
            f"{out} lacks {len(missing)} files of its shapes set, such as {min(missing)}; give "
            "--overwrite to make it again or another --out"
        )
    return True


def put_in_place(built: Path, out: Path, retired: Path) -> None:
    """Rename `built` to `out` and what stood there to `retired`, or leave `out` as it was."""
    try:
        if out.exists():
            out.rename(retired)
        built.rename(out)
    except BaseException:
        if retired.exists() and not out.exists():
            retired.rename(out)
        raise


def write_dataset(
    out: str | Path, train: int, val: int, size: int, seed: int, overwrite: bool = False
) -> Path:
    """Write `train` and `val` images of `size` x `size` pixels with both kinds of labels.

    Equal arguments give equal bytes (with the same NumPy and OpenCV), and image i depends on the
    seed, its split and i alone. The set is built in a hidden folder beside `out` and renamed at
    the end. A finished set made with the same arguments is kept as it is, unless `overwrite`.

    Returns the set's absolute folder.

    Raises:
        ValueError: a count is below 1, `size` below `MIN_SIZE` or `seed` below 0.
        FileExistsError: `out` holds something else. `overwrite` lifts this only for a folder
            that this function made and that holds nothing but the set.
    """
    arguments = _Arguments(train, val, size, seed)
    out = Path(out).resolve()
    if _is_reusable(out, arguments, overwrite):
        logger.info("%s already holds this set, nothing to do", out)
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as workplace:
        built = Path(workplace, "built")
        _write_all(built, arguments)
        # Asked again: another process may have filled `out` meanwhile.
        if not _is_reusable(out, arguments, overwrite):
            put_in_place(built, out, Path(workplace, "retired"))
    logger.info("wrote %s", out)
    return out
