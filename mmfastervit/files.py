"""Writing files whole: a reader finds what stood there before or all of what stands there now."""

import hashlib
import os
import shutil
import socket
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DAY = 24 * 3600  # seconds


@contextmanager
def written_whole(target: Path, flush: bool = True) -> Iterator[Path]:
    """Give a path beside ``target`` to write to, and move it there once the block has ended well.

    Its name ends as that of ``target`` does. When the block raises, ``target`` is as it was and
    nothing is left beside it; :func:`remove_parts` takes away what a killed process left, which it
    knows by this machine and the process, that the name says. A link
    stays a link: the file that it leads to is replaced. What was written is on the disk before it
    is moved, so that a power cut leaves one of the two whole as well; without ``flush``, which many
    thousand small files do without, it may leave a file that is cut off.
    """
    target = target.resolve()
    part = target.with_name(f".{_machine()}{os.getpid():08x}{uuid.uuid4().hex[16:]}.{target.name}")
    try:
        yield part
        if flush:
            _flush(part)
        os.replace(part, target)
        if flush:
            _flush(target.parent)
    finally:
        part.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Remove what processes that were killed left of files that they had not written whole.

    What another process of this machine still writes stays, and so does what one of another machine
    has written to in the last day.
    """
    for path in folder.glob(f".{'[0-9a-f]' * 32}.*"):
        if not _is_being_written(path):
            remove(path)


def _machine() -> str:
    """Eight digits that tell this machine from others which share a folder with it."""
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _is_being_written(part: Path) -> bool:
    machine, process = part.name[1:9], int(part.name[9:17], 16)
    if machine != _machine():
        return time.time() - part.stat().st_mtime < _DAY
    if process == os.getpid():  # that writes nothing while it tidies up: it has the number anew
        return False
    try:
        os.kill(process, 0)  # sends nothing, and tells whether there is one
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # there is one, of another user
        return True
    return True


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()
