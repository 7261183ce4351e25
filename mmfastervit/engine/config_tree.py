"""How to read a tree of mmengine config dicts: type names, wrapped data sets."""

from collections.abc import Iterator, Sequence
from typing import Any


def type_name(kind: str | type) -> str:
    """Bare name of a config's ``type``, which may be a class, ``"mmdet.X"`` or ``"a.b.X"``."""
    return (kind if isinstance(kind, str) else kind.__name__).rsplit(".", 1)[-1]


def leaf_datasets(dataset: dict, key: str) -> Iterator[tuple[str, dict]]:
    """Yield the data sets that read files, out of any nest of wrappers.

    Args:
        dataset: a data set config; a wrapper has a ``dataset`` or ``datasets``.
        key: its place in the config, as ``--cfg-options`` writes it.

    Yields:
        The key and the config dict itself (not a copy) of each unwrapped data set.
    """
    wrapped = {name: dataset[name] for name in ("dataset", "datasets") if name in dataset}
    if not wrapped:
        yield key, dataset
    for name, inner in wrapped.items():
        for inner_key, inner_dataset in keyed_items(inner, f"{key}.{name}"):
            yield from leaf_datasets(inner_dataset, inner_key)


def keyed_items(value: dict | Sequence | None, key: str) -> Iterator[tuple[str, dict]]:
    """Yield the dict, or each dict of the list, with its ``--cfg-options`` key."""
    if isinstance(value, dict):
        yield key, value
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from keyed_items(item, f"{key}.{index}")


def transform_names(pipeline: Any) -> Iterator[str]:
    """Yield the type name of each transform, those inside other transforms included."""
    if isinstance(pipeline, dict):
        if "type" in pipeline:
            yield type_name(pipeline["type"])
        for value in pipeline.values():
            yield from transform_names(value)
    elif isinstance(pipeline, (list, tuple)):
        for value in pipeline:
            yield from transform_names(value)


def loads_annotations(transform: str) -> bool:
    """Whether a transform of this name reads annotations (``LoadAnnotations`` and its kin)."""
    return transform.startswith("Load") and transform.endswith("Annotations")
