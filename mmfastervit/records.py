"""Records of a long piece of work, a line of JSON each, that outlive a process that is killed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO


def read_records(file: Path, key: str) -> dict[str, dict[str, Any]]:
    """Read a results file: the last record of each ``key``; none where there is no file.

    A last line that is cut off, as by a process that is killed while it writes, is no record.
    """
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    whole = text[: text.rfind("\n") + 1].splitlines()
    return {record[key]: record for record in map(json.loads, whole)}


@contextmanager
def appended(file: Path) -> Iterator[TextIO]:
    """Open a results file to add to what stands there, without a last line that is cut off."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as content:
        content.seek(0)
        content.truncate(content.read().rfind(b"\n") + 1)
    with file.open("a", encoding="utf-8") as out:
        yield out


def add_record(out: TextIO, record: dict[str, Any]) -> None:
    """Write a record, so that it stands in the file when this returns."""
    out.write(json.dumps(record) + "\n")
    out.flush()
