"""Writing files whole: a reader finds what stood there before or all of what stands there now."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Give a path beside ``target`` to write to, and move it there once the block has ended well.

    Its name ends as that of ``target`` does. When the block raises, ``target`` is as it was and
    nothing is left beside it. A link stays a link: the file that it leads to is replaced.
    """
    target = target.resolve()
    part = target.with_name(f".{uuid.uuid4().hex}.{target.name}")
    try:
        yield part
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()
