"""A folder that one run at a time writes to."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_NAME = ".in_use"


class FolderInUse(ValueError):
    """Another run writes to the folder."""


class Claim:
    """Keeps other runs from a folder, until it is released or this process ends.

    However it ends: the system gives the claim up with it, so that a run that was killed is
    resumed at once. Processes that it forks have no part in the claim.
    """

    def __init__(self, file: TextIO):
        self._file = file

    def release(self) -> None:
        """Let others write to the folder."""
        Path(self._file.name).unlink(missing_ok=True)
        self._file.close()


def claim(folder: Path, tell: Callable[[str], None]) -> Claim | None:
    """Claim a folder.

    Args:
        folder: Made if it is not there.
        tell: Gets a line where the folder can't be claimed, as it can't be written to or its file
            system keeps no claims.

    Returns:
        The claim; None where there can be none.

    Raises:
        FolderInUse: Another process has claimed it.
    """
    if fcntl is None:
        return None
    file: TextIO | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _locked(folder)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
    except OSError as error:
        if file is not None:
            with suppress(OSError):  # of what it could not write before either
                file.close()
        tell(f"can't tell whether another run writes to {folder}: {error}")
        return None
    return Claim(file)


def _locked(folder: Path) -> TextIO:
    """The file of a claim, which this process alone has."""
    while True:
        file = (folder / _NAME).open("a+", encoding="utf-8")
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # either, by the system
            file.seek(0)
            by = file.read() or "another process"
            file.close()
            raise FolderInUse(
                f"another run writes its checkpoints to {folder} ({by}); two would overwrite each "
                "other's. Name another folder by --work-dir, or end that run first"
            ) from None
        except OSError:
            file.close()
            raise
        if _is(file, folder / _NAME):
            return file
        file.close()  # the run before removed it between the opening and the lock


def _is(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
