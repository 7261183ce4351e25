"""Writing the label maps and lists that recipes read and no download has."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from mmfastervit.files import remove_parts, written_whole
from mmfastervit.processes import WorkerProcesses

from .looking import Look, Task

_TASKS_AT_ONCE = 200  # that a process is handed
_FEW = 400  # maps that are made before another process has started

Failure = tuple[Path, str]  # a source, and what is wrong with it
Track = Callable[[Iterable[list[Failure]], int], Iterator[list[Failure]]]


def make_missing(
    looks: Sequence[Look],
    workers: int | None = None,
    track: Track = lambda results, _: iter(results),
) -> list[Failure]:
    """Write what is to be made; what was written before an interruption is not made again.

    Args:
        looks: What was found.
        workers: Processes; by default as many as there are processors.
        track: Wraps the results as they come, to show progress; it is told how many come.

    Returns:
        What could not be made of which files.
    """
    tasks = [task for look in looks for task in look.tasks]
    for folder in dict.fromkeys(task.target.parent for task in tasks):
        folder.mkdir(parents=True, exist_ok=True)
        remove_parts(folder)
    groups = [tasks[i : i + _TASKS_AT_ONCE] for i in range(0, len(tasks), _TASKS_AT_ONCE)]
    failures = [one for found in track(_made(groups, workers), len(groups)) for one in found]
    for path, lines in (made for look in looks for made in look.lists):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as file:
                file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return failures


def _made(groups: Sequence[Sequence[Task]], workers: int | None) -> Iterator[list[Failure]]:
    """Make each group of maps, in processes where they are many."""
    count = min(workers or os.cpu_count() or 1, len(groups))
    if count <= 1 or sum(map(len, groups)) <= _FEW:
        yield from map(_make_all, groups)
        return
    with WorkerProcesses(count, _nothing_first) as processes:
        yield from processes.do_all(_make_all, _killed, groups)


def _nothing_first() -> None:
    """A process that makes maps needs no preparation."""


def _make_all(tasks: Sequence[Task]) -> list[Failure]:
    return [failure for task in tasks for failure in _make(task)]


def _make(task: Task) -> Iterator[Failure]:
    """Write one map whole; a power cut may spoil it, which the next look sees."""
    try:
        with written_whole(task.target, flush=False) as file:
            task.rule(task.source, file)
    except (ValueError, OSError, SyntaxError, TypeError) as error:  # what readers of images raise
        yield task.source, str(error) or type(error).__name__


def _killed(tasks: Sequence[Task], _: str) -> list[Failure]:
    reason = "the process that made its map was killed: start again"
    return [(task.source, reason) for task in tasks]
