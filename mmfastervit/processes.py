"""Processes that do many tasks, of which one that is killed takes its task alone."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

TASKS_OF_A_PROCESS = 50  # then another takes its place, and its memory is given back
KILLED = "the process was killed, as a system does that runs out of memory"
_LOOK = 1.0  # seconds between two looks at a process that has limits

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """What a process may take for a task, before it is ended.

    Args:
        seconds: Of time. Time in which this process itself is stopped does not count.
        gigabytes: Of memory that is in use at once, looked at once a second; it is told by Linux.
    """

    seconds: float
    gigabytes: float

    def beyond(self, seconds: float, process: int) -> str | None:
        """What a process has too much of after some seconds; None where all is well."""
        if seconds > self.seconds:
            return f"longer than {self.seconds:g} s"
        if _memory_of(process) > self.gigabytes:
            return f"more than {self.gigabytes:g} GB of memory"
        return None


class _Beyond(Exception):
    """A task was ended, as it took more than it may."""


def _memory_of(process: int) -> float:
    """Gigabytes that a process holds in memory; 0 where it has ended."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9


class WorkerProcesses:
    """Processes that take tasks, and are started again where they end.

    Args:
        count: How many.
        prepare: What each does first; it can be pickled.
        tasks: Of a process, then another takes its place.
        limits: What a task may take; None for all that there is.
    """

    def __init__(
        self,
        count: int,
        prepare: Callable[[], None],
        tasks: int = TASKS_OF_A_PROCESS,
        limits: Limits | None = None,
    ):
        self._threads = ThreadPoolExecutor(count)
        self._workers = [_Worker(prepare, tasks, limits) for _ in range(count)]
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def __enter__(self) -> "WorkerProcesses":
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.end()
        self._threads.shutdown()

    def do_all(
        self, job: Callable[[T], Any], killed: Callable[[T, str], Any], tasks: Iterable[T]
    ) -> Iterator[Any]:
        """Do tasks in parallel.

        Args:
            job: Does one; it can be pickled.
            killed: Gives the result of one whose process ended before it was done, and why.
            tasks: What ``job`` takes.

        Yields:
            The results, in the order in which they come.

        Raises:
            Exception: What ``job`` raised.
        """
        futures = [self._threads.submit(self._do, job, killed, task) for task in tasks]
        for future in as_completed(futures):
            yield future.result()

    def _do(self, job: Callable[[T], Any], killed: Callable[[T, str], Any], task: T) -> Any:
        worker = self._idle.get()
        try:
            return worker.do(job, task)
        except (EOFError, ConnectionError):  # of the pipe to a process that is gone
            worker.end()
            return killed(task, KILLED)
        except _Beyond as error:
            worker.end()
            return killed(task, str(error))
        finally:
            self._idle.put(worker)


class _Worker:
    """One process at a time, started when there is something to do."""

    def __init__(self, prepare: Callable[[], None], most: int, limits: Limits | None):
        self._prepare = prepare
        self._most = most
        self._limits = limits
        self._process: Any = None
        self._tasks = 0  # that the process was given

    def do(self, job: Callable[[T], Any], task: T) -> Any:
        if self._tasks == self._most:
            self.end()
        if self._process is None:
            self._start()
        self._tasks += 1
        self._pipe.send((job, task))
        if self._limits is not None:
            self._watch(self._limits)
        result, error = self._pipe.recv()
        if error is not None:
            raise error
        return result

    def _watch(self, limits: Limits) -> None:
        """Wait for the result, or raise _Beyond."""
        passed, before = 0.0, time.monotonic()
        while not self._pipe.poll(_LOOK):
            now = time.monotonic()
            passed += min(now - before, 2 * _LOOK)  # more has passed where this process stood still
            before = now
            if reason := limits.beyond(passed, self._process.pid):
                raise _Beyond(reason)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, self._prepare)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()  # so that the pipe ends with the process
        self._pipe.recv()  # it is prepared: what that takes counts to no task

    def end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.join()
            self._pipe.close()
        self._process, self._tasks = None, 0


def _serve(pipe: Connection, prepare: Callable[[], None]) -> None:
    """Do what comes through the pipe, until the other end is closed or gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's; who started it ends it
    prepare()
    pipe.send(None)
    while True:
        try:
            job, task = pipe.recv()
        except EOFError:
            return
        outcome: tuple[Any, Exception | None]
        try:
            outcome = job(task), None
        except Exception as error:  # whatever it is, who gave the task raises it
            outcome = None, error
        pipe.send(outcome)
