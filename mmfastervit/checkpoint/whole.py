"""Loading a whole model from a checkpoint, and what the checkpoint tells beside weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from .fitting import Fit, fit
from .formats import broken_part
from .reading import read_source


def load_whole(
    model: nn.Module, source: str, partial: bool = False, way_out: str = ""
) -> tuple[Mapping[str, Any], Fit]:
    """Load a checkpoint into a model, if it gives all that the model has learned.

    Every process of a distributed run must call this.

    Args:
        model: The model itself, no wrapper.
        source: The checkpoint: a path, a URL or a name of a zoo.
        partial: Whether a part of the weights is enough; nothing at all never is.
        way_out: What to do, as the end of the refusal of a checkpoint that gives a part.

    Returns:
        What the file holds, and what of the model it gave.

    Raises:
        FileNotFoundError: There is no such file, or it could not be downloaded.
        ValueError: It is not whole, not of this model, or holds values that are no weights.
    """
    content = read_source(source)
    found = fit(model, content, source)
    if "://" not in source and (broken := broken_part(Path(source).expanduser())):
        raise ValueError(f"{source} was changed since it was written: {broken} is not as it was")
    if not found.is_whole and not (partial and found.loaded):
        raise found.refusal(way_out if found.loaded else "")
    return content, found


def dataset_meta(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of the data that it was trained on, its keys in small letters.

    mmengine writes ``meta.dataset_meta``; the versions before it wrote ``meta.CLASSES``.
    """
    meta = content.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    told = meta.get("dataset_meta")
    told = told if isinstance(told, Mapping) else {k: meta[k] for k in _OLD if k in meta}
    return {str(key).lower(): value for key, value in told.items()}


def learned_classes(content: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the classes that a checkpoint was trained on; none where it does not tell."""
    names = dataset_meta(content).get("classes")
    return tuple(map(str, names)) if isinstance(names, (list, tuple)) else ()


_OLD = ("CLASSES", "PALETTE")
