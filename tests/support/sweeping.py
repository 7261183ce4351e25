"""Tasks of a sweep's processes, in a module that they can import."""

import os
import signal


def prepare() -> None:
    """Do nothing."""


def job(task: int) -> tuple[str, int]:
    """Double a task; the process is killed at 2, and 3 fails."""
    if task == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if task == 3:
        raise ValueError("3 fails")
    return "done", 2 * task
