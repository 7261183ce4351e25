"""Swapping every config of the installed zoos: what is done to each, and what is recorded."""

import hashlib
import json
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath
from sysconfig import get_path
from typing import Any

from mmengine.config import Config

from mmfastervit.config.finding import base_name, read_config, zoo_folder
from mmfastervit.config.tree import Path, plain, rebuild, type_name, value_at
from mmfastervit.swap.audit import audit
from mmfastervit.swap.context import find_model
from mmfastervit.swap.errors import SwapRefusedError
from mmfastervit.swap.planning import Swap, plan_swap
from mmfastervit.swap.probing import measure_part
from mmfastervit.swap.writing import write_config
from mmfastervit.trial import steps

REFUSED, FAILED, SWAPPED = "refused", "failed", "swapped"
# mmengine can't read the original, or its backbone and neck don't run on this machine.
UNREADABLE, ORIGINAL_FAILS = "unreadable", "original fails"
# Of a model's settings, those that no part of the steps depends on.
_IRRELEVANT = {"num_classes", "test_cfg", "batch_augments", "size", "init_cfg", "pretrained"}
# Of the backbone: where a step is computed again, or with other processes, of which there are none.
_OF_PROCESSES = {"with_cp", "norm_cfg"}


def zoo_names(package: str) -> list[str]:
    """Names of all configs that a package installs, the parts in ``_base_`` folders left out."""
    folder = zoo_folder(package)
    if folder is None:
        raise ValueError(f"the package {package!r} is not installed")
    files = sorted(folder.rglob("*.py"))
    relative = [file.relative_to(folder) for file in files]
    return [f"{package}::{path.as_posix()}" for path in relative if "_base_" not in path.parts]


def swap_one(name: str, arch: str, seconds: int) -> dict[str, Any]:
    """Swap one config, write it, read it back and audit what its heads read.

    Returns:
        A record for the results file: ``config``, ``status``, ``reason`` or ``model``, ``notes``.
    """
    record, cfg = {"config": name}, None
    try:
        with _time_limit(seconds), tempfile.TemporaryDirectory() as folder:
            cfg = read_config(name)
            swap = plan_swap(cfg, arch)
            target = FilePath(folder) / "swapped.py"
            write_config(swap, base_name(name, target), target)
            stated = audit(swap)
    except SwapRefusedError as error:
        return {**record, "status": REFUSED, "reason": error.reason, "nearest": error.nearest}
    except Exception as error:  # a defect of the swap is a result of the sweep, and no end of it
        status = UNREADABLE
        if cfg is not None:
            status = ORIGINAL_FAILS if _fails(cfg, seconds) else FAILED
        return {**record, "status": status, "reason": _describe(error)}
    notes = [note for note in swap.notes if "publisher" not in note]
    found = dict(model=model_key(swap), notes=notes, stated=stated)
    return {**record, "status": SWAPPED, **found}


def killed_swap(name: str, reason: str) -> dict[str, Any]:
    """The record of a config in whose swap the process was killed."""
    return {"config": name, "status": FAILED, "reason": reason}


def _fails(original: Config, seconds: int) -> bool:
    """Whether the original's backbone and necks don't run either."""
    cfg = plain(original.to_dict())
    try:
        with _time_limit(seconds):
            measure_part(value_at(cfg, find_model(cfg)), cfg.get("default_scope"))
    except (OSError, ValueError):  # what it was, the record of the swap says; a timeout is OSError
        return True
    return False


def model_key(swap: Swap) -> str:
    """A name for the swapped model that configs with the same one share."""
    return key_of(swap.config, swap.model_path)


def key_of(config: Config, path: Path) -> str:
    """A name for the model at a place of a config that configs with the same one share."""
    cfg = plain(config.to_dict())
    part = value_at(cfg, path)
    outer = cfg["model"].get("data_preprocessor") or cfg.get("data_preprocessor")
    part["backbone"] = {k: v for k, v in part["backbone"].items() if k not in _OF_PROCESSES}
    relevant = rebuild(
        [part, outer, list(path)],
        lambda node: {key: value for key, value in node.items() if key not in _IRRELEVANT},
    )
    text = json.dumps(relevant, sort_keys=True, default=type_name)
    return hashlib.sha1(text.encode()).hexdigest()[:12]


def step_one(task: tuple[str, str], arch: str, seconds: int) -> dict[str, Any]:
    """Build the swapped model of a config, train one step and predict once.

    Where that fails, the original model is tried the same way.

    Args:
        task: The config's name, and the model's :func:`model_key`.

    Returns:
        A record for the results file: ``model``, the last of ``built``, ``trained`` and
        ``predicted`` that was reached, and how swapped and original model failed.
    """
    name, key = task
    swap = plan_swap(read_config(name), arch)
    record: dict[str, Any] = {"model": key, "config": name}
    start = time.monotonic()
    reached, reason = _steps(plain(swap.config.to_dict()), swap.model_path, seconds)
    record.update(reached=reached, reason=reason, seconds=round(time.monotonic() - start))
    if reason:
        original = _steps(plain(swap.original.to_dict()), swap.model_path, seconds)
        record.update(original_reached=original[0], original_reason=original[1])
    return record


def killed_step(task: tuple[str, str], reason: str) -> dict[str, Any]:
    """The record of a model in whose steps the process was killed."""
    name, key = task
    return dict(
        model=key,
        config=name,
        reached=None,
        reason=reason,
        original_reached=None,
        original_reason=None,
    )


def _steps(cfg: dict, model_path: tuple, seconds: int) -> tuple[str | None, str | None]:
    """The last step reached, and why the next one was not."""
    reached = None
    try:
        with _time_limit(seconds):
            for step, _ in steps(cfg, model_path):
                reached = step
    except Exception as error:  # whatever the zoo's own code raises is a result here
        return reached, _describe(error)
    return reached, None


def _describe(error: Exception) -> str:
    """Kind and last line of an error, paths of installed packages from their own folder on."""
    last = str(error).strip().splitlines()[-1] if str(error) else ""
    return f"{type(error).__name__}: {last.replace(get_path('purelib') + '/', '')}"[:300]


@contextmanager
def _time_limit(seconds: int) -> Iterator[None]:
    def stop(*_):
        raise TimeoutError(f"longer than {seconds} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
