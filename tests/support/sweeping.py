"""Tasks of a sweep's processes, in a module that they can import."""

import os
import signal
import time


def prepare() -> None:
    """Do nothing."""


def job(task: int) -> tuple[str, int]:
    """Double a task; the process is killed at 2, and 3 fails."""
    if task == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if task == 3:
        raise ValueError("3 fails")
    return "done", 2 * task


def greedy(task: str) -> tuple[str, str]:
    """Take time or memory without end, as the task says."""
    held = []
    while task != "modest":
        time.sleep(0.1)
        if task == "grows":
            held.append(bytearray(os.urandom(1)) * 60_000_000)
    return task, "done"


def process_of(task: int) -> int:
    """The number of the process."""
    return os.getpid()
