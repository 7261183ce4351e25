"""One run at a time writes to a folder, and however it ends, the next one may."""

import fcntl
import subprocess
import sys

import pytest
from support.lasting import make_runner

from mmfastervit.engine.claiming import FolderInUse, claim

HOLDS = """
import sys
from pathlib import Path
from mmfastervit.engine.claiming import claim
claimed = claim(Path(sys.argv[1]), print)
print("claimed", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """A process that has claimed the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, tmp_path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "claimed\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_run_is_refused_until_the_first_is_killed(other, tmp_path):
    with pytest.raises(FolderInUse, match=rf"process {other.pid} on .*--work-dir"):
        make_runner(tmp_path).train()
    assert not list(tmp_path.glob("*.pth"))
    other.kill()
    other.wait()
    make_runner(tmp_path).train()
    assert list(tmp_path.glob("*.pth"))


def test_a_run_that_has_ended_leaves_the_folder_to_others(tmp_path):
    runner = make_runner(tmp_path)
    runner.train()
    assert not (tmp_path / ".in_use").exists()
    done = subprocess.run(
        [sys.executable, "-c", HOLDS, tmp_path],
        input="", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "claimed\n"


def test_a_process_may_begin_again(tmp_path):
    first = make_runner(tmp_path)
    first.train()
    first.call_hook("before_train")  # as a run that was broken off in a notebook
    make_runner(tmp_path).train()


@pytest.mark.parametrize(
    ("broken", "number", "message"),
    [("fcntl.lockf", 37, "No locks available"), ("pathlib.Path.open", 28, "No space left")],
)
def test_a_folder_that_cannot_be_claimed_is_said(broken, number, message, monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise OSError(number, message)

    monkeypatch.setattr(broken, refuse)
    told = []
    assert claim(tmp_path, told.append) is None
    assert message in told[0]


def test_a_claim_that_was_released_meanwhile_is_made_anew(monkeypatch, tmp_path):
    first = claim(tmp_path, print)
    lock, calls = fcntl.lockf, []

    def slow(*arguments):
        if not calls:
            calls.append(first.release())  # by the run before, after this one has opened the file
        return lock(*arguments)

    monkeypatch.setattr("fcntl.lockf", slow)
    second = claim(tmp_path, print)
    assert (tmp_path / ".in_use").exists()
    second.release()
    assert not (tmp_path / ".in_use").exists()
