"""A folder that one run at a time writes to."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_NAME = ".in_use"


class FolderInUse(ValueError):
    """Another run writes to the folder."""


def claim(folder: Path, tell: Callable[[str], None]) -> TextIO | None:
    """Keep other runs from writing to a folder, until the file is closed or this process ends.

    However it ends: the system gives the claim up with it, so that a run that was killed is
    resumed at once. Processes that it forks have no part in the claim.

    Args:
        folder: Made if it is not there.
        tell: Gets a line where the folder's file system can't keep claims.

    Returns:
        The file, to be kept and closed; None where there can be none.

    Raises:
        FolderInUse: Another process has claimed it.
    """
    if fcntl is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
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
    except OSError as error:
        file.close()
        tell(f"can't tell whether another run writes to {folder}: {error}")
        return None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    return file
