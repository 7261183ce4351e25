"""Processes of one group that talk by gloo, forked from one that has imported what they need."""

import os
import signal
import sys
import traceback
import uuid
from collections.abc import Callable
from pathlib import Path

import torch.distributed

SECONDS = 300  # after which a process that waits for another is ended


def run_together(work: Callable[[int], None], folder: Path, processes: int = 2) -> list[int]:
    """Run ``work(rank)`` in several processes at once.

    The calling process must not have run a backward pass: torch's threads do not survive a fork.

    Args:
        work: What each process does.
        folder: For the file by which they find each other.
        processes: How many.

    Returns:
        Their exit statuses; of one that was ended by a signal, the signal's negative number.
    """
    store = f"file://{folder / uuid.uuid4().hex}"
    children = [
        _fork(lambda rank=rank: work(rank), store, rank, processes) for rank in range(processes)
    ]
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def _fork(work: Callable[[], None], store: str, rank: int, processes: int) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        signal.alarm(SECONDS)
        os.environ.update(RANK=str(rank), WORLD_SIZE=str(processes), LOCAL_RANK=str(rank))
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
        torch.distributed.init_process_group(
            "gloo", init_method=store, rank=rank, world_size=processes
        )
        work()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
