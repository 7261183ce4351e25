"""What a config says of the classes of its data."""

import os.path
from typing import Any

from mmengine.config import Config
from mmengine.fileio import list_from_file
from mmengine.registry import DATASETS

from .tree import leaf_datasets

_LOADERS = ("test_dataloader", "val_dataloader", "train_dataloader")


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


def named_in(cfg: Config) -> tuple[tuple[str, ...], Any]:
    """Names of the classes in a config's data, and their palette; none and None if it has none."""
    scope = cfg.get("default_scope") or "mmengine"
    for loader in _LOADERS:
        dataset = (cfg.get(loader) or {}).get("dataset")
        for _, leaf in leaf_datasets(dataset, loader) if isinstance(dataset, dict) else ():
            kind = dataset_class(leaf.get("type", ""), scope)
            if names := classes_of(leaf, kind):
                return names, metainfo_of(leaf, kind).get("palette")
    return (), None
