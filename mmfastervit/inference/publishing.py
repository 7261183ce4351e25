"""Writing a model to hand out: one file with its weights, its architecture and its class names."""

import inspect
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmfastervit.config.building import without_weights
from mmfastervit.config.tree import loads_annotations, plain, rebuild, type_name
from mmfastervit.files import remove, sha256_of, written_whole
from mmfastervit.version import __version__

from .harmless import SCOPES, check_description
from .opening import OpenedModel, open_model
from .pipelines import tested_steps
from .published import KEY, write_description

_DIGITS = 8


def publish(
    checkpoint: str,
    config: str | Path | Config | None = None,
    folder: Path | None = None,
    stem: str | None = None,
) -> Path:
    """Write a file of a trained model that is opened without a config.

    It holds the weights that a test would take, of a run with averaged weights (EMA) those; no
    optimizer, no log, no config text. Its name ends in the first digits of its SHA-256, as torch's
    and OpenMMLab's do, and the same model gives the same file.

    Args:
        checkpoint: A path, that of a run's folder too, a URL or a name of a zoo.
        config: A config file, ``"mmdet::FOLDER/FILE.py"``, or a config that was read; None for a
            checkpoint of mmengine, whose own text of the config is then read as data.
        folder: Where to, made where it is not there; by default beside the checkpoint.
        stem: How the file's name begins; by default as the config's or the checkpoint's.

    Returns:
        The file; one of the same name, which is the same, is replaced.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: They do not fit, as of :func:`open_model`, or the model has parts of other
            packages, which no file can carry.
    """
    opened = open_model(config, checkpoint)
    described = describe(opened)
    target = folder or beside(checkpoint)
    target.mkdir(parents=True, exist_ok=True)
    content = dict(
        meta={
            KEY: write_description(described),
            "dataset_meta": dict(classes=opened.classes, palette=opened.palette),
            "mmfastervit_version": __version__,
        },
        state_dict=opened.model.state_dict(),
    )
    stem = stem or opened.name
    unnamed = target / f"{stem}.publishing.pth"
    try:
        with written_whole(unnamed) as part, part.open("wb") as file:
            torch.save(content, file)  # by a path, the path's name would be in the file
        _check_same(unnamed, opened)
        named = target / f"{stem}-{sha256_of(unnamed)[:_DIGITS]}.pth"
        unnamed.replace(named)
    finally:
        remove(unnamed)
    return named


def beside(checkpoint: str) -> Path:
    """The folder that a checkpoint lies in: its own where that of a run is named."""
    path = Path() if "://" in checkpoint else Path(checkpoint).expanduser()
    return path if path.is_dir() else path.parent


def describe(opened: OpenedModel) -> dict[str, Any]:
    """What a file says of its model, as plain values.

    Raises:
        ValueError: It has parts that none of the packages has registered, or a pipeline of others.
    """
    cfg = opened.cfg
    model = without_weights(cfg.model.to_dict())
    if cfg.get("data_preprocessor"):
        model.setdefault("data_preprocessor", cfg.data_preprocessor.to_dict())
    steps = [step for step in tested_steps(cfg) if not loads_annotations(type_name(step["type"]))]
    described = dict(
        default_scope=cfg.get("default_scope") or ("mmdet" if opened.task == "det" else "mmseg"),
        model=rebuild(plain(model), _by_registered_name),
        test_pipeline=[rebuild(plain(_plain_dict(step)), _by_registered_name) for step in steps],
        classes=opened.classes,
        palette=opened.palette,
    )
    try:
        check_description(described)
    except ValueError as error:
        raise ValueError(
            f"{opened.name} can't be published: a file holds no code, so it can describe models of "
            f"registered parts alone; {error}"
        ) from error
    return described


def _plain_dict(step: Any) -> dict:
    return step.to_dict() if hasattr(step, "to_dict") else dict(step)


def _by_registered_name(node: dict) -> dict:
    """Name a part as registries do: not as a class, nor by the path of its module."""
    kind = node.get("type")
    if inspect.isclass(kind):
        kind = f"{kind.__module__}.{kind.__qualname__}"
    if not isinstance(kind, str) or kind.count(".") < 2:
        return node
    root, last = kind.partition(".")[0], type_name(kind)
    return {**node, "type": f"{root}.{last}" if root in SCOPES else last}


def _check_same(path: Path, opened: OpenedModel) -> None:
    """Open what was written, as its reader will, and compare.

    Raises:
        RuntimeError: It is another model.
    """
    again = open_model(None, str(path))
    ours, theirs = opened.model.state_dict(), again.model.state_dict()
    same = ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)
    if not same or (again.classes, again.task) != (opened.classes, opened.task):
        raise RuntimeError(f"{path}: what was written is not what was read; this is a defect")
