"""Exporting one model: what is done, and what is recorded of it."""

import resource
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmfastervit.config.building import build_model
from mmfastervit.config.tree import plain
from mmfastervit.datasets.shapes import drawn_pictures
from mmfastervit.explaining import cause_of
from mmfastervit.export import NoAdapter, Refused, WholeModel, build_whole, export_whole
from mmfastervit.export.asking import fitted, predicted
from mmfastervit.logs import warnings_only
from mmfastervit.trial.steps import preprocessor_of

from .shrinking import picture_side, shrunk
from .spreading import spreading
from .subjects import Subject, subject_of

MATCHING, REFUSED, FAILED, FAILS_ITSELF = "matching", "refused", "failed", "fails itself"
_PICTURES = 4
_SEED = 0


class _FailsItself(Exception):
    """The model can't be built or does not predict, without any export."""


def try_one(task: tuple[str, str], arch: str) -> dict[str, Any]:
    """Export the model of a config, made smaller, and compare the file with its own predictions.

    Args:
        task: The config's name, and that of its model.
        arch: Architecture of FasterViT in swapped configs.

    Returns:
        A record: ``model``, ``config``, ``status`` (matching, refused, failed, fails itself),
        ``reason``, of a matching one ``sizes`` that the file takes, how many were ``compared`` and
        ``shaky``, the ``family`` of one that is not refused; ``seconds`` of processor time and
        the most ``gigabytes`` held.
    """
    name, key = task
    record: dict[str, Any] = dict(model=key, config=name, status=FAILED, reason=None, family=None)
    start = time.process_time()
    try:
        subject = subject_of(name, arch)
        size = (picture_side(subject.part),) * 2
        with warnings_only(), tempfile.TemporaryDirectory() as folder:
            whole = _whole(subject)
            record.update(family=whole.adapter.name)
            pictures = list(islice(drawn_pictures(whole.channels, size[0]), _PICTURES))
            _spread(whole, [fitted(picture, size) for picture in pictures])
            out = Path(folder, "model.onnx")
            written = export_whole(whole, out, size, pictures, any_size=False)
        record.update(
            status=MATCHING,
            sizes=written.sizes,
            compared=sum(one.compared for one in written.checks),
            shaky=sum(one.shaky for one in written.checks),
        )
    except NoAdapter as error:
        record.update(status=REFUSED, reason=f"no adapter for a {error.model}")
    except Refused as error:
        record.update(status=REFUSED, reason=str(error))
    except _FailsItself as error:
        record.update(status=FAILS_ITSELF, reason=cause_of(error))
    except ArithmeticError as error:
        record.update(reason=str(error))
    except Exception as error:  # whatever a model of a zoo does is a result, and no end
        record.update(reason=cause_of(error))
    record.update(
        seconds=round(time.process_time() - start, 1),
        gigabytes=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    )
    return record


def killed_trial(task: tuple[str, str], reason: str) -> dict[str, Any]:
    """The record of a model whose process was ended."""
    name, key = task
    return dict(model=key, config=name, status=FAILED, reason=reason, family=None)


def _whole(subject: Subject) -> WholeModel:
    part = shrunk(plain(subject.part))
    if "data_preprocessor" not in part:
        part["data_preprocessor"] = preprocessor_of(plain(subject.config.to_dict()))
    config = Config(dict(model=part, default_scope=subject.config.get("default_scope")))
    torch.manual_seed(_SEED)
    try:
        return build_whole(config, takes_uint8=True)
    except Refused:
        raise
    except Exception:  # was it in building the model, before anything was to be exported?
        _check_built(config)
        raise


def _check_built(config: Config) -> None:
    try:
        build_model(config)
    except Exception as error:  # its own code
        raise _FailsItself from error


def _spread(whole: WholeModel, pictures: list) -> None:
    with spreading(whole.model):
        try:
            predicted(whole.model, pictures)
        except Exception as error:  # its own code, before anything was exported
            raise _FailsItself from error
