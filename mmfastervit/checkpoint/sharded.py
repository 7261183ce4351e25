"""Checkpoints in shards: a folder to which every process of a run wrote its part."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.distributed import checkpoint as dcp
from torch.distributed.checkpoint.metadata import TensorStorageMetadata

from mmfastervit.files import sha256_of, written_whole

from .reading import read_checkpoint

SHARDED = ".sharded"  # how the folder's name ends
REST = "rest.pth"  # all but weights and optimizer, as mmengine has it
WEIGHTS = "weights"  # what the weights' names begin with
_MANIFEST = "manifest.json"


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
    reader = dcp.FileSystemReader(folder)
    stored = reader.read_metadata().state_dict_metadata
    weights = {
        name: torch.empty(entry.size, dtype=entry.properties.dtype)
        for name, entry in stored.items()
        if name.startswith(f"{WEIGHTS}.") and isinstance(entry, TensorStorageMetadata)
    }
    dcp.load(weights, storage_reader=reader, no_dist=True)
    rest = read_rest(folder)
    whole = {name.removeprefix(f"{WEIGHTS}."): value for name, value in weights.items()}
    return dict(meta=rest["meta"], state_dict=whole)
