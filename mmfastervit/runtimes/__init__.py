"""A model's exported file in the place of the model: what runs it, and what it says of itself."""

from .comparing import largest_difference
from .metadata import NoModel, read_metadata
from .model import DoesNotFit, FileModel, put_in_place
from .pasting import paste_masks
from .results import masks_at
from .running import (
    FILE_RUNTIME,
    PRECISIONS,
    RUNTIMES,
    TORCH,
    OnnxRuntime,
    OpenVino,
    Runtime,
    check_precision,
    open_runtime,
    require_runtime,
)
from .stated import OtherModel, Stated, described

__all__ = [
    "FILE_RUNTIME",
    "PRECISIONS",
    "RUNTIMES",
    "TORCH",
    "DoesNotFit",
    "FileModel",
    "NoModel",
    "OnnxRuntime",
    "OpenVino",
    "OtherModel",
    "Runtime",
    "Stated",
    "check_precision",
    "described",
    "largest_difference",
    "masks_at",
    "open_runtime",
    "paste_masks",
    "put_in_place",
    "read_metadata",
    "require_runtime",
]
