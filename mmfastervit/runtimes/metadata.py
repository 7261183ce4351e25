"""What stands beside the graph of an ONNX file, read without a runtime and without its weights.

The format is protocol buffers' (ModelProto in ONNX's onnx.proto): fields one after the other, each
with a number, a kind, and for most kinds a length.
"""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_GRAPH, _METADATA = 7, 14  # of a model
_KEY, _VALUE = 1, 2  # of an entry of its metadata
_NUMBER, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5  # kinds of fields
_LONGEST = 10  # bytes of a number


class NoModel(ValueError):
    """A file that is no ONNX file, or a cut one."""


def read_metadata(path: Path) -> dict[str, str]:
    """Read the metadata of an ONNX file.

    Raises:
        FileNotFoundError: There is no such file.
        NoModel: It is no ONNX file, or it is cut; a ValueError.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    found, has_graph = {}, False
    try:
        with path.open("rb") as file:
            for number, content in _fields(file, os.path.getsize(path), _METADATA):
                has_graph |= number == _GRAPH
                if content is not None:
                    entry = dict(_fields(io.BytesIO(content), len(content), _KEY, _VALUE))
                    key, value = (entry.get(which) or b"" for which in (_KEY, _VALUE))
                    found[key.decode()] = value.decode()
    except (NoModel, UnicodeDecodeError) as error:
        raise NoModel(f"{path} is no ONNX file, or a cut one") from error
    if not has_graph:
        raise NoModel(f"{path} is no ONNX file, or a cut one")
    return found


def _fields(file: BinaryIO, size: int, *wanted: int) -> Iterator[tuple[int, bytes | None]]:
    """The number of each field of a message, and the bytes of those that are wanted."""
    while (place := file.tell()) < size:
        tag = _number(file)
        number, kind = tag >> 3, tag & 7
        content = None
        if kind == _NUMBER:
            _number(file)
        elif kind == _BYTES:
            length = _number(file)
            if file.tell() + length > size:
                raise NoModel(f"the field at {place} is longer than the file")
            if number in wanted:
                content = file.read(length)
            else:
                file.seek(length, io.SEEK_CUR)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            file.seek(8 if kind == _EIGHT_BYTES else 4, io.SEEK_CUR)
        else:
            raise NoModel(f"the field at {place} is of no known kind")
        yield number, content


def _number(file: BinaryIO) -> int:
    """A number, seven bits a byte, the lowest first; the eighth says whether more follow."""
    value = 0
    for place in range(_LONGEST):
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 127) << 7 * place
        if byte[0] < 128:
            return value
    raise NoModel("a number does not end")
