"""Files that are the beginning of a picture alone."""

import struct
from zlib import crc32


def head_of_png(width: int, height: int) -> bytes:
    """A file that says to be a picture of this size, without its pixels."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)), (b"IDAT", b"")]
    chunks = [
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc32(kind + content))
        for kind, content in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
