"""What kind of checkpoint file a file is, by its first bytes and its end."""

import pickle
import zipfile
from pathlib import Path

import torch

SAFETENSORS = ".safetensors"
SHARDED = ".sharded"  # how the name of a folder of shards ends
POINTER = "last_checkpoint"  # a file in a run's folder that names its last checkpoint
_LEGACY_MAGIC = pickle.dumps(torch.serialization.MAGIC_NUMBER, protocol=2)
_LARGEST_HEADER = 100 << 20  # bytes; that of a safetensors file begins with its own length


def is_of_torch(path: Path) -> bool:
    """Whether ``torch.save`` wrote a file, in its present or its older format.

    A file of the present format that is cut is none: what makes it one stands at its end.
    """
    with path.open("rb") as file:
        start = file.read(len(_LEGACY_MAGIC))
    return start == _LEGACY_MAGIC or zipfile.is_zipfile(path)


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as a safetensors file does."""
    with path.open("rb") as file:
        length, brace = file.read(8), file.read(1)
    return brace == b"{" and int.from_bytes(length, "little") <= _LARGEST_HEADER


def broken_part(path: Path) -> str | None:
    """What of a file of torch's fails its own checksum; of its older format nothing can."""
    if not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip()
    except (OSError, zipfile.BadZipFile) as error:
        return str(error)
