"""What a config says of the classes of its data."""

import os.path
from typing import Any

from mmengine.fileio import list_from_file
from mmengine.registry import DATASETS


def dataset_class(name: str | type, scope: str) -> type | None:
    """The data set class of this name, as a run in this scope finds it."""
    if isinstance(name, type):
        return name
    return DATASETS.get(name if "." in name else f"{scope}.{name}") if name else None


def metainfo_of(dataset: dict, kind: type | None) -> dict[str, Any]:
    """What is told of a data set's classes: by its class, and over that by its config."""
    return dict(getattr(kind, "METAINFO", None) or {}) | dict(dataset.get("metainfo") or {})


def classes_of(dataset: dict, kind: type | None) -> tuple[str, ...] | None:
    """Names of classes: those of the config's ``metainfo``, or else of the data set's class.

    A string names a file with a name in each line, as it does for mmengine.
    """
    classes = metainfo_of(dataset, kind).get("classes")
    if isinstance(classes, str) and os.path.isfile(classes):
        classes = list_from_file(classes)
    if isinstance(classes, str):
        return (classes,)
    return None if classes is None else tuple(map(str, classes))
