"""A look at a data set in COCO's format: its file, its pictures, and what a metric reads of it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .class_names import check_categories
from .coco_boxes import check_boxes
from .coco_entries import check_keys
from .coco_file import Needs, read_coco
from .coco_ids import check_ids
from .coco_masks import check_masks
from .coco_objects import Objects, objects_of
from .coco_pictures import PREFIX, look_at_pictures
from .coco_summary import learned_by_class, summary
from .findings import Finding, brief, some
from .folders import Folders
from .pictures import Opening
from .sources import Source


def look_at_coco(source: Source, opening: Opening, folders: Folders) -> tuple[list[Finding], str]:
    """Look at a data set.

    Returns:
        What was found, and what the data set holds, in some lines.
    """
    with _collector_paused():
        return _look(source, opening, folders)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Let Python not look for garbage among millions of lists again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _look(source: Source, opening: Opening, folders: Folders) -> tuple[list[Finding], str]:
    path = source.path("ann_file")
    if path is None or source.path(PREFIX) is None:
        return [_not_given(source, "ann_file" if path is None else PREFIX)], ""
    needs = _needs(source, path)
    lists, faults = read_coco(path, needs)
    if lists is None:
        return faults, ""
    objects = objects_of(lists)
    pictures, opened = look_at_pictures(path, source, lists["images"], objects, opening, folders)
    in_file = list(_check_file(path, source, lists, objects, needs))
    findings = [
        *in_file,
        *_check_objects_left(path, source, lists, objects, needs, in_file),
        *pictures,
        *_check_metrics(path, source, lists),
    ]
    return findings, summary(source, path, lists, objects, opened)


def _not_given(source: Source, key: str) -> Finding:
    return Finding(
        source.key,
        f"`{key}` is not given",
        accepted="ann_file='train.json', data_prefix=dict(img='FOLDER/')",
        remedy=f"--cfg-options {source.key}.{key}=PATH",
    )


def _needs(source: Source, path: Path) -> Needs:
    """What the run reads of the data set's file, for itself and for a metric."""
    loaders = source.annotation_loaders
    masked = [loader for loader in loaders if loader.get("with_mask")]
    read_by = [e for e in source.evaluations if e.ann_file is None or _same(e.ann_file, path)]
    return Needs(
        labels=bool(loaders or read_by),
        training=source.training,
        masks=bool(masked) or any(metric.masks for metric in read_by),
        polygons_only=any(not loader.get("poly2mask", True) for loader in masked),
        crowd=any(metric.ann_file for metric in read_by),
    )


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _check_file(
    path: Path, source: Source, lists: dict, objects: Objects, needs: Needs
) -> Iterator[Finding]:
    """Everything that a file alone tells."""
    place = str(path)
    yield from check_keys(place, lists, needs)
    yield from check_ids(place, lists, objects)
    yield from check_boxes(place, lists["annotations"], objects)
    names = [entry["name"] for entry in lists["categories"] if isinstance(entry.get("name"), str)]
    if len(names) == len(lists["categories"]):
        yield from check_categories(source, names, place)
    if needs.masks:
        yield from check_masks(place, lists["annotations"], objects, needs)


def _check_objects_left(
    path: Path,
    source: Source,
    lists: dict,
    objects: Objects,
    needs: Needs,
    in_file: list[Finding],
) -> Iterator[Finding]:
    """Look whether there is anything to learn or to compare, and in which classes there isn't.

    Where the file has other faults, those say why there is nothing.
    """
    if not needs.labels:
        return
    counts = learned_by_class(source, lists, objects)
    if source.classes is None or any(counts.values()):
        yield from _remarks_on_classes(path, source, lists, objects, counts)
    elif not any(finding.is_fault for finding in in_file):
        purpose = "learned" if needs.training else "compared"
        has = f"{len(lists['annotations'])} annotations, {len(lists['images'])} images"
        yield Finding(
            str(path),
            f"no object of the config's classes that can be {purpose} ({has})",
            accepted="annotations with a box inside their image, of one of the classes",
            remedy="label objects; a crowd (`iscrowd` 1) is none to learn",
        )


def _remarks_on_classes(
    path: Path, source: Source, lists: dict, objects: Objects, counts: dict[str, int]
) -> Iterator[Finding]:
    """Classes without objects, and categories without a class."""
    without = [name for name, count in counts.items() if not count]
    if without:
        yield Finding(str(path), f"no object of: {', '.join(without)}", is_fault=False)
    names = [str(entry.get("name")) for entry in lists["categories"]]
    total = np.bincount(objects.category[objects.learned], minlength=len(names))
    unused = [i for i, name in enumerate(names) if name not in (source.classes or names)]
    if unused:
        listed = some(f"{names[i]}: {total[i]} objects" for i in unused)
        what = "not among the config's classes; objects left out"
        yield Finding(str(path), what, "category", len(unused), listed, is_fault=False)


def _check_metrics(path: Path, source: Source, lists: dict) -> Iterator[Finding]:
    """Look at the annotation files that metrics read, where they are others than the data set's."""
    for metric in source.evaluations:
        if metric.ann_file is None or _same(metric.ann_file, path):
            continue
        needs = Needs(training=False, masks=metric.masks, crowd=True)
        others, faults = read_coco(metric.ann_file, needs)
        yield from faults
        if others is not None:
            yield from _check_file(metric.ann_file, source, others, objects_of(others), needs)
            if source.cfg.get("indices") is None:
                yield from _check_same_images(path, metric.ann_file, metric.key, lists, others)


def _check_same_images(
    path: Path, other: Path, key: str, lists: dict, others: dict
) -> Iterator[Finding]:
    """Compare the images of a data set with those that its metric expects."""
    ids, expected = (
        {one.get("id") for one in each["images"] if type(one.get("id")) in (int, str)}
        for each in (lists, others)
    )
    if ids != expected:
        differing = sorted(ids ^ expected, key=str)
        yield Finding(
            str(other),
            f"other images than {path}, which the metric {key} compares with it",
            subject="image id",
            count=len(differing),
            examples=some(
                f"image id {brief(one)}: only in {path if one in ids else other}"
                for one in differing
            ),
            accepted="the same image ids in both; the metric counts absent images as missed",
            remedy=f"--cfg-options {key}.ann_file={path}",
        )
