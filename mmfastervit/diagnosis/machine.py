"""Disks and write access of the folders that a run writes to."""

import os
from pathlib import Path

from .environment import Environment, Folder
from .finding import Finding

GB = 10**9
NEEDED = 1 * GB  # a checkpoint of a detector with its optimizer, and a file of published weights
WISHED = 10 * GB  # a run keeps several
MOVED = {
    True: "cd FOLDER && mmfastervit doctor   # a folder of yours; runs write to ./work_dirs",
    False: "export TORCH_HOME=FOLDER   # on a disk with room, where you may write",
}


def not_writable(environment: Environment) -> Finding | None:
    """A folder that can't be written to."""
    for folder in environment.folders:
        if folder.error:
            return Finding(
                f"{folder.path} ({folder.purpose}) can't be written to: {folder.error}",
                _elsewhere(folder),
            )
    return None


def disk_full(environment: Environment) -> Finding | None:
    """A disk with less than a checkpoint's room, or less than a run's."""
    for folder in sorted(environment.folders, key=lambda folder: folder.free):
        if folder.free < WISHED and not folder.error:
            return Finding(
                f"{folder.free / GB:.1f} GB are free at {folder.path} ({folder.purpose}); a run "
                f"with its checkpoints takes {WISHED // GB} GB",
                _elsewhere(folder),
                fault=folder.free < NEEDED,
            )
    return None


def _elsewhere(folder: Folder) -> str:
    return MOVED[Path(folder.path) == Path(os.path.abspath(os.curdir))]
