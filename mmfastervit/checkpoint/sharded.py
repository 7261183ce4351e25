"""Checkpoints in shards: a folder to which every process of a run wrote its part."""

import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.distributed import checkpoint as dcp
from torch.distributed.checkpoint import CheckpointException
from torch.distributed.checkpoint.metadata import Metadata, TensorStorageMetadata
from torch.distributed.checkpoint.planner import ReadItem

from mmfastervit.files import sha256_of, written_whole

from .formats import SHARDED
from .reading import read_checkpoint

REST = "rest.pth"  # all but weights and optimizer, as mmengine has it
WEIGHTS = "weights"  # what the weights' names begin with
_MANIFEST = "manifest.json"
_INDEX = ".metadata"  # torch's, a pickle
_OF_INDEX = {  # all that it names, but for data types
    "torch.distributed.checkpoint.metadata": (
        "BytesStorageMetadata",
        "ChunkStorageMetadata",
        "Metadata",
        "MetadataIndex",
        "StorageMeta",
        "TensorProperties",
        "TensorStorageMetadata",
        "_MEM_FORMAT_ENCODING",
    ),
    "torch.distributed.checkpoint.filesystem": ("_StorageInfo",),
    "torch.serialization": ("_get_layout",),
    "torch": ("Size",),
    "collections": ("OrderedDict",),
    "pathlib": ("PosixPath",),
    "pathlib._local": ("PosixPath",),  # as Python 3.13 writes it
}


def is_sharded(path: str | Path) -> bool:
    """Whether a path is that of a checkpoint in shards, by its name."""
    return Path(path).suffix == SHARDED


def write_manifest(folder: Path) -> None:
    """Note the hash of every file, when all are written."""
    hashes = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
    with written_whole(folder / _MANIFEST) as part:
        part.write_text(json.dumps(hashes))


def broken_shard(folder: Path) -> str | None:
    """The first file of a checkpoint that is not there or not as it was written; None if whole."""
    try:
        hashes = json.loads((folder / _MANIFEST).read_text())
        return next((name for name in hashes if sha256_of(folder / name) != hashes[name]), None)
    except (OSError, ValueError) as error:
        return str(error)


class _IndexReader(pickle.Unpickler):
    """Reads the index of a checkpoint in shards, and nothing else that a pickle may name."""

    def find_class(self, module: str, name: str) -> Any:
        is_dtype = module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)
        if not (is_dtype or name in _OF_INDEX.get(module, ())):
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


class _ShardReader(dcp.FileSystemReader):
    """torch's reader, which alone would run what the index names."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        refuse_code(Path(self.path))
        return super().read_metadata(*args, **kwargs)


class _ShardPlanner(dcp.DefaultLoadPlanner):
    """torch's, which alone would run what stands among the numbers of an optimizer."""

    def load_bytes(self, read_item: ReadItem, value: io.BytesIO) -> None:
        torch.load(value, weights_only=True)  # raises where there is more than numbers
        value.seek(0)
        super().load_bytes(read_item, value)


def refuse_code(folder: Path) -> None:
    """Look whether the index of a checkpoint in shards is one, and nothing that runs.

    Raises:
        ValueError: It is not; names the file.
    """
    try:
        with (folder / _INDEX).open("rb") as file:
            _IndexReader(file).load()
    except Exception as error:  # a broken pickle fails in any way
        raise ValueError(
            f"{folder / _INDEX} is no index of a checkpoint in shards, so it is not read ({error})"
        ) from error


def load_shards(states: dict[str, Any], folder: Path, alone: bool = False) -> None:
    """Fill tensors and dicts of numbers from a checkpoint in shards, in place.

    Args:
        states: What to fill; its names say what is read.
        folder: The checkpoint.
        alone: Whether this process reads by itself; otherwise all processes must call this.

    Raises:
        ValueError: The checkpoint holds something else than tensors and numbers.
    """
    refuse_code(folder)
    reader, planner = _ShardReader(folder), _ShardPlanner()
    try:
        dcp.load(states, storage_reader=reader, planner=planner, no_dist=alone)
    except CheckpointException as error:  # not an Exception to Python
        rank, (first, _) = next(iter(error.failures.items()))
        if isinstance(first, pickle.UnpicklingError):
            raise ValueError(
                f"{folder} holds Python objects among its numbers, which reading would run as "
                "code, so it is not read"
            ) from first
        text = " ".join(str(first).split())
        raise ValueError(f"{folder} can't be read by process {rank}: {text}") from first


def read_rest(folder: Path) -> Mapping[str, Any]:
    """What a checkpoint holds beside weights and the optimizer's state.

    Raises:
        ValueError: It is not there, or not whole.
    """
    return read_checkpoint(folder / REST)


def read_whole(folder: Path) -> dict[str, Any]:
    """Read a checkpoint in shards as one, without the optimizer's state, in any process.

    Raises:
        ValueError: A file of it is not there or was changed.
    """
    broken = broken_shard(folder)
    if broken is not None:
        raise ValueError(f"{folder} is no whole checkpoint in shards ({broken})")
    stored = _ShardReader(folder).read_metadata().state_dict_metadata
    weights = {
        name: torch.empty(entry.size, dtype=entry.properties.dtype)
        for name, entry in stored.items()
        if name.startswith(f"{WEIGHTS}.") and isinstance(entry, TensorStorageMetadata)
    }
    load_shards(weights, folder, alone=True)
    rest = read_rest(folder)
    whole = {name.removeprefix(f"{WEIGHTS}."): value for name, value in weights.items()}
    return dict(meta=rest["meta"], state_dict=whole)
