"""Reading checkpoint files without running what may be in them."""

import json
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors import safe_open

from .allowed import allow_mmengine_checkpoints
from .content import ARCH_KEY
from .published import SCHEME
from .sources import resolve_source

SAFETENSORS = ".safetensors"
ARCH_FIELDS = "arch_fields"  # in the metadata of a safetensors file, as JSON
_LEGACY_MAGIC = pickle.dumps(torch.serialization.MAGIC_NUMBER, protocol=2)

# mmengine's load_checkpoint calls torch.load itself: only a list for the whole process reaches it.
allow_mmengine_checkpoints()


def read_checkpoint(path: Path, trust: bool = False) -> Mapping[str, Any]:
    """Read all that a checkpoint file holds.

    Args:
        path: A file of ``torch.save`` or a ``.safetensors`` file.
        trust: Unpickle whatever the file holds, which runs any code its author put there.

    Returns:
        The file's content; that of a safetensors file as ``torch.save`` would hold it, its tensors
        under ``state_dict`` and its metadata under ``meta``.

    Raises:
        ValueError: Not a complete checkpoint file, or one that holds more than weights.
    """
    try:
        content = _read_safetensors(path) if path.suffix == SAFETENSORS else _read(path, trust)
    except Exception as error:  # a broken file makes its reader fail in any way
        if isinstance(error, pickle.UnpicklingError) and not trust and _is_of_torch(path):
            raise ValueError(_refusal(path, str(error))) from error
        raise ValueError(
            f"{path} is not a complete checkpoint file, of PyTorch or {SAFETENSORS}: it may be "
            f"cut short or something else ({_cause(error)})"
        ) from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a state dict")
    return content


def stated_arch(checkpoint: Mapping[str, Any]) -> str | None:
    """Return the architecture's name that a conversion wrote into a checkpoint, under 'meta'."""
    meta = checkpoint.get("meta")
    arch = meta.get(ARCH_KEY) if isinstance(meta, Mapping) else None
    return arch if isinstance(arch, str) else None


@CheckpointLoader.register_scheme([SCHEME, rf".*\{SAFETENSORS}$"])
def load_from_mmfastervit(filename: str, map_location: Any = None) -> Mapping[str, Any]:
    """Read for mmengine's ``load_checkpoint`` what it cannot: our scheme, and safetensors files.

    The weights come on the CPU whatever ``map_location``: loading copies them to their place.
    Every process of a distributed run must call this: see :func:`.sources.resolve_source`.
    """
    return read_checkpoint(resolve_source(filename))


def _read(path: Path, trust: bool) -> Any:
    # Mapped, weights are copied once, from the file into the model; older files can't be mapped.
    mmap = zipfile.is_zipfile(path)
    allow_mmengine_checkpoints()  # again: the loader of mmengine's forks takes types off the list
    return torch.load(path, map_location="cpu", weights_only=not trust, mmap=mmap)


def _read_safetensors(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        weights = OrderedDict((name, file.get_tensor(name)) for name in file.keys())  # noqa: SIM118
        meta = file.metadata() or {}
    fields = meta.get(ARCH_FIELDS)
    weights._metadata = {"": {ARCH_KEY: json.loads(fields)}} if fields else {}  # type: ignore[attr-defined]  # as torch does
    return {"state_dict": weights, "meta": meta}


def _is_of_torch(path: Path) -> bool:
    """Whether ``torch.save`` wrote the file, in its present or its older format."""
    with path.open("rb") as file:
        start = file.read(len(_LEGACY_MAGIC))
    return start == _LEGACY_MAGIC or zipfile.is_zipfile(path)


def _refusal(path: Path, error: str) -> str:
    names = re.findall(r"GLOBAL (\S+)", error)
    what = f" ({names[0]})" if names else ""
    return (
        f"{path} holds Python objects beside weights{what}, which reading would run as code. Only "
        f"if you trust its author: trust_checkpoint=True in init_cfg, or --trust-checkpoint of "
        "`mmfastervit convert`"
    )


def _cause(error: Exception) -> str:
    """Name an error in one line; torch's advice on unpickling, to trust the file, is left out."""
    text = "" if isinstance(error, pickle.UnpicklingError) else str(error).strip()
    return f"{type(error).__name__} {text.partition(chr(10))[0]}".rstrip()
