"""Doing something to many models, in processes, with a record of each in a file."""

import logging
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mmfastervit.processes import TASKS_OF_A_PROCESS, Limits, WorkerProcesses
from mmfastervit.records import add_record, appended


def prepare_worker() -> None:
    """One thread a process, and no messages: thousands of models are built."""
    import torch

    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")


def run_all(
    job: Callable,
    killed: Callable[[Any, str], dict],
    tasks: Iterable,
    workers: int,
    file: Path,
    each: int = TASKS_OF_A_PROCESS,
    limits: Limits | None = None,
) -> None:
    """Do the tasks in parallel and append each result to ``file`` as it comes.

    Args:
        job: Makes a record of a task, in a process of its own.
        killed: Makes the record of a task whose process ended, from it and the reason.
        tasks: What there is to do.
        workers: How many processes.
        file: Gets the records.
        each: Tasks of a process.
        limits: What a task may take.
    """
    tasks = list(tasks)
    with WorkerProcesses(workers, prepare_worker, each, limits) as processes, appended(file) as out:
        for done, record in enumerate(processes.do_all(job, killed, tasks), 1):
            add_record(out, record)
            told = record.get("status", "")
            print(f"{done}/{len(tasks)} {record['config']} {told}".rstrip(), flush=True)
