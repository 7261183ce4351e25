"""Half-written files: those of the dead are taken away, and those of the living stay."""

import os
import subprocess
import sys
import time

import pytest

from mmfastervit.files import remove_parts, written_whole

WRITES = """
import sys
from pathlib import Path
from mmfastervit.files import written_whole
with written_whole(Path(sys.argv[1])) as part:
    part.write_text("half")
    print(part.name, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path):
    """A process that is writing ``model.pth``, and the name of its part."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES, tmp_path / "model.pth"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield process, tmp_path / process.stdout.readline().strip()
    process.kill()
    process.wait()


def test_what_another_process_writes_stays_until_it_is_killed(writer, tmp_path):
    process, part = writer
    remove_parts(tmp_path)
    assert part.read_text() == "half"
    process.kill()
    process.wait()
    remove_parts(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_another_process_writes_gets_to_its_place(writer, tmp_path):
    process, _ = writer
    remove_parts(tmp_path)
    process.communicate(timeout=60)  # its input ends
    assert process.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["model.pth"]


def test_a_process_that_has_the_number_of_a_dead_one_takes_its_parts(tmp_path):
    with written_whole(tmp_path / "model.pth") as part:
        part.write_text("half")
        os.link(part, tmp_path / "kept")
        name = part.name
    os.rename(tmp_path / "kept", tmp_path / name)  # as the part of a process before this one
    remove_parts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.pth"]


def test_parts_of_other_machines_stay_for_a_day(monkeypatch, tmp_path):
    part = tmp_path / f".{'0' * 32}.model.pth"
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    part.write_text("half")
    remove_parts(tmp_path)
    assert part.exists()
    long_ago = time.time() - 25 * 3600
    os.utime(part, (long_ago, long_ago))
    remove_parts(tmp_path)
    assert not part.exists()


def test_other_hidden_files_stay(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".0123.model.pth").write_text("of somebody")
    remove_parts(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
