"""What mmengine's logs of a run say: one curve a scalar, through kills and restarts.

mmengine makes a folder for each start of a run, ``WORK_DIR/TIMESTAMP/vis_data``, and writes a line
of JSON there for each logged iteration and each evaluation, to ``TIMESTAMP.json`` and, with what
hooks add, to ``scalars.json``.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median_low

import numpy as np

_OWN = "scalars.json"  # beside it a file named by the run's start has the logger's lines alone
_PLACE = ("step", "iter", "epoch")  # where a line stands, not what was measured
_OF_EVALUATIONS = ("time", "data_time")  # how long a picture takes, which is no metric


@dataclass(frozen=True)
class Curve:
    """One scalar of a run.

    Attributes:
        steps: Iterations, (n,), growing.
        values: (n,); NaN and infinities as they were logged.
    """

    steps: np.ndarray
    values: np.ndarray


@dataclass
class RunLog:
    """The curves of a run.

    Attributes:
        path: As the user named it.
        training: What was logged while it trained, by name: ``loss``, ``lr``, ``time``, ...
        evaluation: Metrics by name; one that training logs too is ``val/NAME``.
        starts: The first logged iteration after each start, the first start included.
        epoch_length: Iterations an epoch; None for a run by iterations.
        remarks: What is odd about the logs.
    """

    path: Path
    training: dict[str, Curve]
    evaluation: dict[str, Curve]
    starts: list[int]
    epoch_length: int | None
    remarks: list[str] = field(default_factory=list)

    @property
    def curves(self) -> dict[str, Curve]:
        """All curves by name."""
        return {**self.evaluation, **self.training}

    @property
    def last_step(self) -> int:
        """The last iteration that was logged."""
        return int(max(curve.steps[-1] for curve in self.curves.values()))


Line = dict[str, float]


@dataclass
class _Session:
    """The lines from one start of a run to its end.

    Attributes:
        training: Lines of iterations.
        evaluations: Lines of evaluations, each with the last line of an iteration before it.
        remarks: What is odd about the file.
    """

    training: list[Line] = field(default_factory=list)
    evaluations: list[tuple[Line, Line]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def read_run(path: Path) -> RunLog:
    """Read the logs of a run.

    A run that was started again has one curve: what a later start logged takes the place of all
    that stood from its first iteration on. Lines that were cut by a kill are left out.

    Args:
        path: A work dir, a folder of one start in it, or a log.

    Raises:
        FileNotFoundError: There is nothing of that name, or no log in it.
        ValueError: A file is no log of mmengine, or nothing was logged.
    """
    sessions = [_read_session(file) for file in log_files(path)]
    remarks = [remark for session in sessions for remark in session.remarks]
    sessions = [one for one in sessions if one.training or one.evaluations]
    if not sessions:
        raise ValueError(
            f"{path}: nothing was logged: a run writes its first line after"
            " default_hooks.logger.interval iterations"
        )
    length = _epoch_length(sessions)
    training, evaluations, starts = _joined(sessions, length, remarks)
    run = RunLog(path, _curves(training), _metrics(training, evaluations), starts, length, remarks)
    if not run.curves:
        raise ValueError(f"{path}: its lines hold no scalars besides their iterations")
    return run


def log_files(path: Path) -> list[Path]:
    """The logs of a run, those of earlier starts first.

    Raises:
        FileNotFoundError: There is nothing of that name, or no log in it.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"there is no work dir or log {path}")
    folders = [path / "vis_data", *sorted(path.glob("*/vis_data"))]
    found = [log for folder in folders if (log := _log_in(folder))]
    if not found and path.name == "vis_data" and (log := _log_in(path)):
        found = [log]
    if found:
        return found
    below = sorted({log.parents[2] for log in path.glob("*/*/vis_data/*.json")})
    hint = f"; there are runs below it: {', '.join(map(str, below[:5]))}" if below else ""
    raise FileNotFoundError(
        f"no logs in {path}: a run's lie in WORK_DIR/TIMESTAMP/vis_data/*.json, which mmengine's"
        f" LocalVisBackend writes{hint}"
    )


def _log_in(folder: Path) -> Path | None:
    """The log of one start: the logger's own, or else all scalars."""
    logs = sorted(folder.glob("*.json"))
    named = [log for log in logs if log.name != _OWN and log.stem == folder.parent.name]
    own = [log for log in logs if log.name == _OWN]
    return next(iter([*named, *own, *logs]), None)


def _read_session(path: Path) -> _Session:
    """Read one file.

    Raises:
        ValueError: It has lines, and none is one of a log.
    """
    session, unread, count = _Session(), 0, 0
    for line in _lines(path):
        count += 1
        if line is None:
            unread += 1
        elif "iter" in line or ("lr" in line and "step" in line):
            session.training.append({"iter": line["step"], **line})
        else:
            last = session.training[-1] if session.training else {}
            session.evaluations.append((last, line))
    if count and unread == count:
        raise ValueError(
            f"{path} is no log of mmengine: those have a line of JSON for each logged iteration,"
            ' as in {"loss": 0.5, "iter": 10, "step": 10}'
        )
    if unread:
        lines = "1 line was" if unread == 1 else f"{unread} lines were"
        session.remarks.append(f"{path}: {lines} cut or no scalars, and left out")
    return session


def _lines(path: Path) -> Iterator[Line | None]:
    """The scalars of each line; None for a line that has none or that was cut."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for text in file:
            if not text.strip():
                continue
            try:
                content = json.loads(text, parse_int=float)
            except (ValueError, RecursionError):
                yield None
                continue
            content = content if isinstance(content, dict) else {}
            line = {name: value for name, value in content.items() if isinstance(value, float)}
            places = [line.get("step", math.nan), *(line[key] for key in _PLACE if key in line)]
            yield line if all(map(math.isfinite, places)) else None


def _epoch_length(sessions: Sequence[_Session]) -> int | None:
    """Iterations an epoch, as far as the lines tell; None where they name no epochs.

    The logger counts anew in each epoch, so the first lines of two epochs are a whole number of
    epochs apart; where there is no second epoch, the last line is the least that an epoch can have.
    """
    apart, least = [], 0
    for session in sessions:
        first: dict[int, int] = {}
        for line in session.training:
            if line.get("epoch", 0) >= 1:
                epoch, iteration = int(line["epoch"]), int(line["iter"])
                first.setdefault(epoch, iteration)
                least = max(least, math.ceil(iteration / epoch))
        epochs = sorted(first)
        # A start in the middle of an epoch has its first line elsewhere in it.
        for one, other in pairwise(epochs[1:]):
            apart.append((first[other] - first[one]) // (other - one))
        if len(epochs) > 1 and epochs[0] == 1:
            apart.append((first[epochs[1]] - first[1]) // (epochs[1] - 1))
    if not least:
        return None
    return max(least, median_low(apart)) if apart else least


def _joined(
    sessions: Sequence[_Session], length: int | None, remarks: list[str]
) -> tuple[list[Line], list[Line], list[int]]:
    """The lines of all starts, each line with its iteration; and where the starts began."""
    training: list[Line] = []
    evaluations: list[Line] = []
    starts: list[int] = []
    for session in sessions:
        first = session.training[0]["iter"] if session.training else math.inf
        if training and first <= training[0]["iter"]:
            remarks.append(
                "the run was started anew in the same work dir; what an earlier start logged is"
                " left out"
            )
            starts = []
        training = [line for line in training if line["iter"] < first] + session.training
        evaluations = [line for line in evaluations if line["iter"] < first]
        evaluations += [
            {**line, "iter": _iteration(line, last, length)} for last, line in session.evaluations
        ]
        starts += [int(first)] if session.training else []
    return training, evaluations, starts


def _iteration(line: Line, last: Line, length: int | None) -> float:
    """The iteration of an evaluation, by the last line of an iteration before it.

    Its step is the epoch in a run by epochs. In one by iterations it is the iteration if the logger
    has ``log_metric_by_epoch=False``, and 0 otherwise: then the last logged iteration is told.
    """
    step = line["step"]
    if length and step <= last.get("epoch", math.inf):
        step *= length
    return max(step, last.get("iter", 0.0))


def _curves(lines: Sequence[Line]) -> dict[str, Curve]:
    """A curve of each name; of two lines of an iteration the later holds."""
    points: dict[str, dict[float, float]] = {}
    for line in lines:
        for name, value in line.items():
            if name not in _PLACE:
                points.setdefault(name, {})[line["iter"]] = value
    return {
        name: Curve(
            np.array(sorted(by_step)), np.array([by_step[step] for step in sorted(by_step)])
        )
        for name, by_step in points.items()
    }


def _metrics(training: Sequence[Line], evaluations: Sequence[Line]) -> dict[str, Curve]:
    """The curves of evaluations; a name that training has too is ``val/NAME``."""
    trained = {name for line in training for name in line}
    return {
        f"val/{name}" if name in trained else name: curve
        for name, curve in _curves(evaluations).items()
        if name not in _OF_EVALUATIONS
    }
