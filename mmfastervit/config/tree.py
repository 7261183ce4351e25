"""A config as a tree of dicts and lists: walking, rebuilding and looking up, each once."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

Path = tuple[str | int, ...]  # keys and list indices, from the top


def dotted(path: Path) -> str:
    """Write a place as ``--cfg-options`` does: ``model.roi_head.bbox_head.0``."""
    return ".".join(map(str, path))


def walk(value: Any, path: Path = (), skip: Collection[str] = ()) -> Iterator[tuple[Path, Any]]:
    """Yield a value and all values inside it, each with its place; a holder before what it holds.

    Args:
        value: A tree, or a part of one.
        path: The place of ``value``.
        skip: Keys of dicts that are left out, with all that is below them.
    """
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in skip:
                yield from walk(inner, (*path, key), skip)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from walk(inner, (*path, index), skip)


def rebuild(value: Any, change: Callable[[dict], dict]) -> Any:
    """Copy a tree, with ``change`` applied to each dict once the dicts inside it were changed."""
    if isinstance(value, dict):
        return change({key: rebuild(inner, change) for key, inner in value.items()})
    if isinstance(value, (list, tuple)):
        return type(value)(rebuild(inner, change) for inner in value)
    return value


def plain(value: Any) -> Any:
    """Copy a config's dicts and lists to Python's own, without mmengine's scope marks."""
    return rebuild(value, lambda node: {k: v for k, v in node.items() if k != "_scope_"})


class _Absent:
    def __repr__(self) -> str:
        return "(absent)"


ABSENT = _Absent()


def value_at(root: Any, path: Path) -> Any:
    """Look up ``path``; :data:`ABSENT` where it leads nowhere."""
    for key in path:
        if isinstance(root, (list, tuple)):
            root = dict(enumerate(root))
        if not isinstance(root, dict) or key not in root:
            return ABSENT
        root = root[key]
    return root


def dict_at(root: Any, path: Path) -> dict:
    """Look up the dict at ``path``; an empty one where there is none, or None or something else."""
    found = value_at(root, path)
    return found if isinstance(found, dict) else {}


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


def transforms(pipeline: Any) -> Iterator[tuple[str, dict]]:
    """Yield each transform's type name and config, those inside other transforms included."""
    for _, part in walk(pipeline):
        if isinstance(part, dict) and "type" in part:
            yield type_name(part["type"]), part


def transform_names(pipeline: Any) -> Iterator[str]:
    """Yield the type name of each transform, those inside other transforms included."""
    for name, _ in transforms(pipeline):
        yield name


def loads_annotations(transform: str) -> bool:
    """Whether a transform of this name reads annotations (``LoadAnnotations`` and its kin)."""
    return transform.startswith("Load") and transform.endswith("Annotations")


def is_remote(node: dict) -> bool:
    """Whether a data set, transform or metric reads by another backend than the local disk."""
    arguments = node.get("backend_args") or node.get("file_client_args") or {}
    return arguments.get("backend", "local") not in ("local", "disk")
