"""Reading checkpoint files without running what may be in them."""

import json
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from mmengine.fileio import get_file_backend
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors import safe_open

from .allowed import allow_mmengine_checkpoints
from .content import ARCH_KEY
from .formats import SAFETENSORS, is_of_torch, is_safetensors
from .published import SCHEME
from .sources import resolve_source
from .zoos import ZOOS

ARCH_FIELDS = "arch_fields"  # in the metadata of a safetensors file, as JSON
_CLASSIFIERS = "mmcls://"
_STORAGES = (r"(\S+\:)?s3://", r"(\S+\:)?petrel://")  # as mmengine names them, by its client

# torch.load is called by other libraries too: only a list for the whole process reaches them.
allow_mmengine_checkpoints()


def read_source(
    source: str | Path, trust: bool = False, map_location: Any = "cpu", mapped: bool = True
) -> Mapping[str, Any]:
    """Read the checkpoint that a user names: see :func:`.sources.resolve_source`.

    Beside what that takes, ``s3://`` and ``petrel://`` addresses are read by mmengine's clients.
    Every process of a distributed run must call this. Arguments are those of
    :func:`read_checkpoint`.

    Raises:
        FileNotFoundError: There is no such file, or it could not be downloaded.
        ValueError: As of :func:`read_checkpoint`; names the source and the file.
    """
    name = str(source)
    if name.startswith("pavi://"):
        raise ValueError(f"{name}: pavi is not read; download the file and give its path")
    if any(re.match(storage, name) for storage in _STORAGES):
        return _from_storage(name, trust, map_location)
    path = resolve_source(source)
    try:
        content = read_checkpoint(path, trust, map_location, mapped)
    except ValueError as error:
        came_from = f"{name}: " if "://" in name else ""
        raise ValueError(f"{came_from}{error}") from error
    return _backbone_of(content) if name.startswith(_CLASSIFIERS) else content


def _backbone_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """A classifier's backbone alone, as mmengine takes it by ``mmcls://NAME``."""
    weights = content.get("state_dict", content)
    names = (name for name in weights if name.startswith("backbone."))
    return {"state_dict": {name.removeprefix("backbone."): weights[name] for name in names}}


def read_checkpoint(
    path: Path, trust: bool = False, map_location: Any = "cpu", mapped: bool = True
) -> Mapping[str, Any]:
    """Read all that a checkpoint file holds, but for the program text that mmengine would run.

    Args:
        path: A file of ``torch.save`` or safetensors.
        trust: Unpickle whatever the file holds, which runs any code its author put there.
        map_location: Where the tensors of a file of torch's go, as of ``torch.load``.
        mapped: Leave weights in the file until they are looked at, where its format allows that.

    Returns:
        The file's content; that of a safetensors file as ``torch.save`` would hold it, its tensors
        under ``state_dict`` and its metadata under ``meta``.

    Raises:
        ValueError: Not a complete checkpoint file, or one that holds more than weights.
    """
    try:
        if is_safetensors(path):
            content: Any = _read_safetensors(path)
        else:
            content = _read(path, trust, map_location, mapped)
    except Exception as error:  # a broken file makes its reader fail in any way
        if isinstance(error, pickle.UnpicklingError) and not trust and is_of_torch(path):
            raise ValueError(_refusal(path, str(error))) from error
        raise ValueError(
            f"{path} is not a complete checkpoint file, of PyTorch or {SAFETENSORS}: it may be "
            f"cut short or something else ({_cause(error)})"
        ) from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a state dict")
    return _without_program(content)


def _without_program(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out the config text that mmengine runs, as Python, whenever a run is resumed.

    It looks there for a setting that its own checkpoints have not had since mmengine exists.
    """
    meta = content.get("meta")
    if isinstance(meta, dict):
        meta.pop("config", None)
    return content


def stated_arch(checkpoint: Mapping[str, Any]) -> str | None:
    """Return the architecture's name that a conversion wrote into a checkpoint, under 'meta'."""
    meta = checkpoint.get("meta")
    arch = meta.get(ARCH_KEY) if isinstance(meta, Mapping) else None
    return arch if isinstance(arch, str) else None


# mmengine's own loaders unpickle whatever comes by http, and by the names of its zoos.
@CheckpointLoader.register_scheme(
    ["", "http://", "https://", SCHEME, *ZOOS, *_STORAGES, "pavi://"], force=True
)
def load_from_mmfastervit(filename: str, map_location: Any = None) -> Mapping[str, Any]:
    """Read for mmengine: its runner, ``load_checkpoint``, and each ``init_cfg`` of any module.

    Every process of a distributed run must call this: see :func:`.sources.resolve_source`.
    """
    # Not mapped: the optimizer's state of a run that goes on would stay in a file that may go.
    return read_source(filename, map_location=map_location or "cpu", mapped=False)


def _from_storage(name: str, trust: bool, map_location: Any) -> Mapping[str, Any]:
    backend = get_file_backend(name, backend_args=dict(backend="petrel"))
    with TemporaryDirectory() as folder:
        path = Path(folder, Path(name).name)
        path.write_bytes(backend.get(name))
        return read_checkpoint(path, trust, map_location, mapped=False)


def _read(path: Path, trust: bool, map_location: Any, mapped: bool) -> Any:
    # Mapped, weights are copied once, from the file into the model; older files can't be mapped.
    mmap = mapped and zipfile.is_zipfile(path)
    allow_mmengine_checkpoints()  # again: the loader of mmengine's forks takes types off the list
    return torch.load(path, map_location=map_location, weights_only=not trust, mmap=mmap)


def _read_safetensors(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        weights = OrderedDict((name, file.get_tensor(name)) for name in file.keys())  # noqa: SIM118
        meta = file.metadata() or {}
    fields = meta.get(ARCH_FIELDS)
    weights._metadata = {"": {ARCH_KEY: json.loads(fields)}} if fields else {}  # type: ignore[attr-defined]  # as torch does
    return {"state_dict": weights, "meta": meta}


def _refusal(path: Path, error: str) -> str:
    names = re.findall(r"GLOBAL (\S+)", error)
    what = f" ({names[0]})" if names else ""
    return (
        f"{path} holds Python objects beside weights{what}, which reading would run as code, so it "
        f"is not read. Ask for a file of weights alone, such as {SAFETENSORS}"
    )


def _cause(error: Exception) -> str:
    """Name an error in one line; torch's advice on unpickling, to trust the file, is left out."""
    text = "" if isinstance(error, pickle.UnpicklingError) else str(error).strip()
    return f"{type(error).__name__} {text.partition(chr(10))[0]}".rstrip()
