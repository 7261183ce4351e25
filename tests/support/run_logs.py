"""Logs as mmengine writes them, made without a run."""

import json
from collections.abc import Iterable
from pathlib import Path


def training_line(step: int, epoch: int | None = None, **scalars: float) -> dict:
    """A line of an iteration."""
    line = dict(lr=0.01, data_time=0.1, loss=1.0 / step, time=0.5, iter=step, memory=100)
    return line | ({} if epoch is None else dict(epoch=epoch)) | scalars | dict(step=step)


def evaluation_line(step: int, **scalars: float) -> dict:
    """A line of an evaluation."""
    return scalars | dict(data_time=0.1, time=0.2, step=step)


def write_log(work_dir: Path, start: str, lines: Iterable[dict], tail: str = "") -> Path:
    """The log of one start; ``tail`` is what stands behind the last whole line."""
    folder = work_dir / start / "vis_data"
    folder.mkdir(parents=True)
    text = "".join(json.dumps(line) + "\n" for line in lines) + tail
    for name in ("scalars.json", f"{start}.json"):
        (folder / name).write_text(text)
    return folder / f"{start}.json"
