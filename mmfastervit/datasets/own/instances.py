"""Finding COCO files, with boxes or masks, and the pictures that they list."""

import json
from collections.abc import Sequence
from pathlib import Path

from .data import OwnData, usual_size
from .pictures import check_pictures
from .places import PARTS, below, files_of, folders_of, is_validation, listed, parted, sample


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
        ValueError: It is not clear which file is which, and the message names them; or a file or
            a picture is not what a run needs.
    """
    files_there = [path for path in files_of(folder, (".json",)) if not path.stem.endswith(PARTS)]
    found = {path: content for path in files_there if (content := _coco(path))}
    if not found:
        raise FileNotFoundError(
            f"{folder}: no file in COCO's format, which is JSON with the lists 'images', "
            "'annotations' and 'categories'"
        )
    chosen = _chosen(folder, list(found), train, val)
    for path in chosen.values():
        _check_entries(path, found[path])
    parts: dict[Path, dict] = {}
    if len(chosen) == 1:
        parts, chosen = _parted(chosen["train"], found[chosen["train"]], val_share)
        found |= parts
    contents = {split: found[path] for split, path in chosen.items()}
    files = {}
    for split in ("train", "val"):
        path = chosen[split]
        names = [image["file_name"] for image in contents[split]["images"]]
        pictures = _folder_of(folder, names, is_validation(folder, path))
        check_pictures([folder / pictures / name for name in sample(names)], "boxes")
        files[split] = (below(folder, path), pictures)
    template, remark = _template(contents)
    images = contents["train"]["images"]
    return OwnData(
        template,
        # in the file's order, by which mmdet numbers them
        tuple(one["name"] for one in contents["train"]["categories"]),
        files,
        usual_size([(one["width"], one["height"]) for one in images if one.get("width")]),
        len(images),
        parts={path: json.dumps(content) for path, content in parts.items()},
        remark=remark,
    )


def _template(contents: dict[str, dict]) -> tuple[str, str]:
    """Which template the objects of both sets want, and why it is not that of masks."""
    objects = [one for content in contents.values() for one in content["annotations"]]
    without = sum(not one.get("segmentation") for one in objects)
    if objects and not without:
        return "masks", ""
    if without == len(objects):
        return "boxes", ""
    has = "has no mask" if without == 1 else "have no mask"
    return "boxes", f"{without} of {len(objects)} objects {has}: boxes"


def _coco(path: Path) -> dict | None:
    """The content of a COCO file; None of any other."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, OSError):  # whatever it is, it is none of COCO's
        return None
    lists = ("images", "annotations", "categories")
    is_coco = isinstance(content, dict) and all(isinstance(content.get(k), list) for k in lists)
    return content if is_coco and content["images"] else None


_NEEDED: dict[str, dict[str, tuple[type, ...]]] = {
    "images": {"id": (int, float, str), "file_name": (str,)},
    "categories": {"name": (str,)},
    "annotations": {"image_id": (int, float, str)},
}


def _check_entries(path: Path, content: dict) -> None:
    """Whether the entries have what this command reads; a run's own look has all the rest."""
    if not content["categories"]:
        raise ValueError(
            f"{path}: the list 'categories' is empty: name each class there, "
            'such as {"id": 1, "name": "cat"}'
        )
    for name, keys in _NEEDED.items():
        for row, entry in enumerate(content[name]):
            if not isinstance(entry, dict):
                raise ValueError(f"{path}: {name}[{row}] is no object with keys, but {entry!r:.60}")
            for key, kinds in keys.items():
                if not isinstance(entry.get(key), kinds):
                    raise ValueError(
                        f"{path}: {name}[{row}] (id {entry.get('id')!r:.60}) has "
                        f"{_said(entry, key)}: {' or '.join(k.__name__ for k in kinds)} is "
                        "accepted; write it, or take the entry out"
                    )


def _said(entry: dict, key: str) -> str:
    return f"the {key!r} {entry[key]!r:.60}" if key in entry else f"no {key!r}"


def _chosen(folder: Path, paths: list[Path], train: str | None, val: str | None) -> dict[str, Path]:
    """Which file is to train on and which to evaluate on; the only one is to train on."""
    named = {split: folder / name for split, name in (("train", train), ("val", val)) if name}
    for split, path in named.items():
        if path not in paths:
            raise FileNotFoundError(
                f"--{split} {path}: no file in COCO's format; there are {listed(folder, paths)}"
            )
    if len(named) == 2 and named["train"] == named["val"]:
        raise ValueError(
            f"--train and --val name the same file, {named['train']}: what was trained on says "
            "nothing in evaluation; name two files, or leave one single file in the folder, "
            "which is parted"
        )
    rest = [path for path in paths if path not in named.values()]
    for split, is_val in (("val", True), ("train", False)):
        if split not in named:
            candidates = [p for p in rest if is_validation(folder, p) == is_val]
            if len(candidates) > 1:
                raise ValueError(
                    f"which file is for {split}? --{split} names one of "
                    f"{listed(folder, candidates)}"
                )
            if candidates:
                named[split] = candidates[0]
    if "train" not in named:
        named["train"] = named.pop("val")
    return named


def _parted(path: Path, content: dict, share: float) -> tuple[dict, dict[str, Path]]:
    """The two parts of a COCO file, and the files beside it that they belong in."""
    images = sorted(content["images"], key=lambda image: str(image["id"]))
    if len(images) < 2:
        raise ValueError(f"{path} lists one picture: two are needed, to train and to evaluate on")
    found, chosen = {}, {}
    for split, suffix, part in zip(("train", "val"), PARTS, parted(images, share), strict=True):
        ids = {image["id"] for image in part}
        annotations = [one for one in content["annotations"] if one["image_id"] in ids]
        target = path.with_name(f"{path.stem}{suffix}.json")
        found[target] = {**content, "images": part, "annotations": annotations}
        chosen[split] = target
    return found, chosen


def _folder_of(folder: Path, names: Sequence[str], prefers_validation: bool) -> str:
    """The folder below which the listed pictures lie, as ``data_prefix`` has it.

    Where pictures to train on and to evaluate on have the same names, it is that of the same set as
    the file that lists them.
    """
    some = sample(names)
    folders = folders_of(folder)
    for place in sorted(folders, key=lambda one: is_validation(folder, one) != prefers_validation):
        if all((place / name).is_file() for name in some):
            relative = below(folder, place)
            return "" if relative == "." else f"{relative}/"
    raise FileNotFoundError(
        f"{folder}: no folder below it has the pictures that are listed, such as {some[0]}"
    )
