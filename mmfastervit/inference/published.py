"""What a checkpoint says of its own model, read as data: nothing of it is ever run.

A file of ``mmfastervit publish`` holds its model's description as JSON, under ``meta``. A
checkpoint of mmengine holds the text of its whole config there, which mmengine's inferencers run as
Python; here it is parsed, and taken only where it is made of plain values. What either may name is
said in :mod:`.harmless`.
"""

import json
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from mmfastervit.config.literals import read_assignments
from mmfastervit.config.tree import leaf_datasets

from .harmless import check_description

KEY = "mmfastervit_model"  # under meta
VERSION = 1
_LARGEST = 4 << 20  # characters; those of the zoos' configs are a hundredth of that
_DEEPEST = 100  # brackets inside each other; a parser may crash at too many
_TUPLE = "()"
_PARTS = ("default_scope", "model", "test_pipeline", "classes", "palette")


def described_in(content: Mapping[str, Any], source: str | None) -> Config:
    """The config of the model that a checkpoint describes, its parts harmless.

    Args:
        content: What the file holds.
        source: What to call it in errors.

    Raises:
        ValueError: It describes none, or one that is not made of the packages' own parts.
    """
    meta = content.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    if KEY in meta:
        described = _of_ours(meta[KEY], source)
    elif isinstance(meta.get("cfg"), str):
        described = _of_mmengine(meta["cfg"], source)
    else:
        raise ValueError(
            f"{source} does not say which model it is of: give its config by --config, or a file "
            "that `mmfastervit publish` wrote"
        )
    try:
        check_description(described)
    except ValueError as error:
        raise ValueError(
            f"{source}: the model that it describes is not built: {error}. If you trust the file, "
            "give its config by --config"
        ) from error
    return as_config(described)


def as_config(described: Mapping[str, Any]) -> Config:
    """A config of the usual form: the model, and a data set with a pipeline and names."""
    named = {key: described[key] for key in ("classes", "palette") if described.get(key)}
    dataset = dict(metainfo=named, pipeline=described["test_pipeline"])
    return Config(
        dict(
            default_scope=described["default_scope"],
            model=described["model"],
            test_dataloader=dict(dataset=dataset),
        )
    )


def write_description(described: Mapping[str, Any]) -> str:
    """A description as JSON, tuples marked.

    Raises:
        ValueError: It holds something else than numbers, strings, None, lists, tuples and dicts.
    """
    return json.dumps(dict(version=VERSION, **{k: _marked(described[k]) for k in _PARTS}))


def _of_ours(text: Any, source: str | None) -> dict[str, Any]:
    if not isinstance(text, str) or len(text) > _LARGEST or _depth(text) > _DEEPEST:
        raise ValueError(f"{source}: the description of its model is broken")
    try:
        stated = json.loads(text, object_hook=_unmarked)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{source}: the description of its model is broken ({error})") from error
    if not isinstance(stated, dict) or stated.get("version") != VERSION:
        version = stated.get("version") if isinstance(stated, dict) else None
        raise ValueError(
            f"{source}: its description is of version {version!r}, and this mmfastervit reads "
            f"version {VERSION}: another release wrote it"
        )
    if set(stated) != {"version", *_PARTS}:
        raise ValueError(f"{source}: the description of its model has not all of {_PARTS}")
    return {key: stated[key] for key in _PARTS}


def _of_mmengine(text: str, source: str | None) -> dict[str, Any]:
    """The same of the config's text that mmengine keeps in a checkpoint."""
    told = f"{source} holds the text of its config, which can't be read without running it"
    if len(text) > _LARGEST or _depth(text) > _DEEPEST:
        raise ValueError(f"{told}: it is too long or too deep; give the config by --config")
    try:
        cfg = read_assignments(text)
    except ValueError as error:
        raise ValueError(f"{told}: {error}; give the config by --config") from error
    loader = cfg.get("test_dataloader")
    dataset = loader.get("dataset") if isinstance(loader, dict) else None
    leaves = [leaf for _, leaf in leaf_datasets(dataset, "")] if isinstance(dataset, dict) else []
    metainfo = leaves[0].get("metainfo") if leaves else None
    named = metainfo if isinstance(metainfo, dict) else {}
    model = cfg.get("model")
    if isinstance(model, dict) and isinstance(cfg.get("data_preprocessor"), dict):
        model.setdefault("data_preprocessor", cfg["data_preprocessor"])
    return dict(
        default_scope=cfg.get("default_scope"),
        model=model,
        test_pipeline=leaves[0].get("pipeline") if leaves else cfg.get("test_pipeline"),
        classes=named.get("classes"),
        palette=named.get("palette"),
    )


def _depth(text: str) -> int:
    """How many brackets are open inside each other, at most; those in strings count too."""
    open_, deepest = 0, 0
    for character in text:
        if character in "([{":
            open_ += 1
            deepest = max(deepest, open_)
        elif character in ")]}":
            open_ -= 1
    return deepest


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError(f"a dict of the model has keys that are no names: {[*value]}")
        return {key: _marked(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return {_TUPLE: [_marked(inner) for inner in value]}
    if isinstance(value, list):
        return [_marked(inner) for inner in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"the model's config holds a {type(value).__name__}, which is no plain value")


def _unmarked(node: dict) -> Any:
    if set(node) == {_TUPLE} and isinstance(node[_TUPLE], list):
        return tuple(node[_TUPLE])
    return node
