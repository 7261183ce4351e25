"""Find missing data and checkpoints before a run starts, and then what is wrong with the data."""

import os.path
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.utils import is_abs

from mmfastervit.config.tree import (
    dotted,
    is_remote,
    keyed_items,
    leaf_datasets,
    loads_annotations,
    transform_names,
    type_name,
    walk,
)
from mmfastervit.explaining import explained
from mmfastervit.inspection import FaultyData, Opening, look_at

_STAGES = {"train": ("train", "val"), "test": ("test",)}
# Where each launcher tells a process its number.
_RANKS = {"pytorch": "RANK", "slurm": "SLURM_PROCID", "mpi": "OMPI_COMM_WORLD_RANK"}
_WEIGHT_SUFFIXES = (".pth", ".pt", ".ckpt", ".pkl", ".bin", ".safetensors")
# What to do for data that is known by its path: a pattern, and the advice.
_SOURCES = (
    (
        re.compile(r"(^|/)shapes(/|$)"),
        "The drawn shapes are made by: mmfastervit shapes --out data/shapes",
    ),
    (
        re.compile(r"(train|val|test)2017"),
        """COCO 2017 is had from https://cocodataset.org/#download (how to prepare it:
https://mmdetection.readthedocs.io/en/latest/user_guides/dataset_prepare.html). Its data_root holds
    annotations/instances_train2017.json, annotations/instances_val2017.json
    train2017/*.jpg
    val2017/*.jpg
`mmfastervit prepare coco --root DIR` looks through what you unpacked""",
    ),
    (
        re.compile(r"ADEChallengeData2016"),
        """ADE20K is had from http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip
(how to prepare it:
https://mmsegmentation.readthedocs.io/en/latest/user_guides/2_dataset_prepare.html). Its data_root
holds
    images/training/*.jpg, images/validation/*.jpg
    annotations/training/*.png, annotations/validation/*.png
`mmfastervit prepare ade20k --root DIR` looks through what you unpacked""",
    ),
    (
        re.compile(r"(^|/)cityscapes(/|$)"),
        """Cityscapes is had from https://www.cityscapes-dataset.com/downloads/;
`mmfastervit prepare cityscapes --root DIR` looks through what you unpacked and numbers the maps""",
    ),
    (
        re.compile(r"(^|/)VOC2012(/|$)"),
        """Pascal VOC 2012 is had from http://host.robots.ox.ac.uk/pascal/VOC/voc2012/;
`mmfastervit prepare voc --root DIR` looks through what you unpacked and adds the labels of SBD""",
    ),
)


class MissingInputsError(FileNotFoundError):
    """Some of a run's data or checkpoints are not there; the message names them all."""


@dataclass(frozen=True)
class _Input:
    """A local file or folder that a run reads.

    Attributes:
        path: where the run looks for it.
        key: the config key that it comes from.
        change: how to point the run elsewhere.
    """

    path: str
    key: str
    change: str


def check_inputs(cfg: Config, mode: str) -> None:
    """Check that all local inputs of a run exist; URLs and remote storage are not looked at.

    Training reads the training and validation data, ``load_from`` or the checkpoint to resume, and
    each ``init_cfg`` of type ``Pretrained`` in the model (mmengine applies these even when it
    resumes). Testing reads the test data and ``load_from``, and applies no ``init_cfg``.

    Args:
        cfg: the config as the Runner will get it.
        mode: ``"train"`` or ``"test"``.

    Raises:
        MissingInputsError: with the path, the config key and a remedy of each missing input.
    """
    if mode not in _STAGES:
        raise ValueError(f"mode must be 'train' or 'test', got {mode!r}")
    tree = cfg.to_dict()
    inputs = [*_checkpoints(tree, mode)]
    for stage in _STAGES[mode]:
        inputs += _stage_inputs(tree, stage)
    _check_there(inputs)


def check_data_there(cfg: Config, stages: Sequence[str]) -> None:
    """Check that all local data of these stages exist, whatever becomes of checkpoints.

    Raises:
        MissingInputsError: with the path, the config key and a remedy of each missing input.
    """
    tree = cfg.to_dict()
    _check_there([item for stage in stages for item in _stage_inputs(tree, stage)])


def check_data(cfg: Config, mode: str, seed: int = 0) -> str:
    """Look at the data of a run that is about to start.

    Of several processes the first looks, and the launcher ends the others with it.

    Args:
        cfg: the config as the Runner will get it; its data are there.
        mode: ``"train"`` or ``"test"``.
        seed: chooses the pictures that are opened.

    Returns:
        What the data hold, and what is odd; '' in all processes but the first.

    Raises:
        FaultyData: with all faults that spoil or end the run.
    """
    if os.environ.get(_RANKS.get(cfg.launcher, ""), "0") != "0":
        return ""
    with explained("the look at the data failed, and --no-check starts the run without it"):
        report = look_at(cfg, _STAGES[mode], Opening(seed=seed))
    if report.faults:
        raise FaultyData(f"{report.told_faults()}\n\n--no-check starts the run all the same")
    return f"the data of this run:\n{report.told()}"


def _check_there(inputs: Sequence[_Input]) -> None:
    local = (item for item in inputs if "://" not in item.path)
    missing = [item for item in local if not os.path.exists(item.path)]
    if missing:
        raise MissingInputsError(_report(missing))


def _stage_inputs(tree: dict, stage: str) -> Iterator[_Input]:
    """Yield what the data loader and the evaluator of a stage read, if it has any."""
    loader_key = f"{stage}_dataloader"
    for key, loader in keyed_items(tree.get(loader_key), loader_key):
        for dataset_key, dataset in leaf_datasets(loader.get("dataset", {}), f"{key}.dataset"):
            yield from _dataset_inputs(dataset, dataset_key)
    evaluator_key = f"{stage}_evaluator"
    for path, part in walk(tree.get(evaluator_key), (evaluator_key,)):
        if isinstance(part, dict) and not is_remote(part):
            for name in ("ann_file", "seg_prefix"):
                key = dotted((*path, name))
                if part.get(name):
                    yield _Input(part[name], key, _set(key))


def _dataset_inputs(dataset: dict, key: str) -> Iterator[_Input]:
    """Yield what an unwrapped data set reads, its paths joined as mmengine's BaseDataset does."""
    root = dataset.get("data_root") or ""
    if is_remote(dataset) or "://" in root:
        return
    named_paths = [*_dataset_paths(dataset)]
    for name, path in named_paths:
        if is_abs(path):
            change = _set(f"{key}.{name}")
        elif root:
            change = _set(f"{key}.data_root", "DIR")
        else:
            change = f"no data_root is set, the path starts here: {_set(f'{key}.data_root', 'DIR')}"
        joined = path if is_abs(path) else os.path.join(root, path)
        yield _Input(joined, f"{key}.{name}", change)
    if root and not named_paths:
        yield _Input(root, f"{key}.data_root", _set(f"{key}.data_root", "DIR"))


def _dataset_paths(dataset: dict) -> Iterator[tuple[str, str]]:
    """Yield each path of a data set config with its key, as it is written there."""
    prefixes = dataset.get("data_prefix") or {}
    paths = {name: dataset.get(name) for name in ("ann_file", "proposal_file")}
    paths.update((f"data_prefix.{name}", prefix) for name, prefix in prefixes.items())
    names = [*transform_names(dataset.get("pipeline"))]
    unlabelled = names and not any(loads_annotations(name) for name in names)
    for name, path in paths.items():
        if unlabelled and name.startswith("data_prefix.seg"):
            continue
        if isinstance(path, str) and (path or (name != "ann_file" and dataset.get("data_root"))):
            yield name, path


def _checkpoints(tree: dict, mode: str) -> Iterator[_Input]:
    """Yield the local checkpoints that the Runner loads in this mode."""
    start, resume = tree.get("load_from"), mode == "train" and tree.get("resume")
    if start:
        option = "--resume PATH" if resume else _set("load_from")
        change = "give another CHECKPOINT" if mode == "test" else option
        yield _checkpoint(start, "load_from", change)
    if mode == "train":
        yield from _pretrained(tree.get("model"))


def _pretrained(model: Any) -> Iterator[_Input]:
    """Yield the checkpoints that parts of a model start from, at any depth."""
    for path, part in walk(model, ("model",), skip=("init_cfg",)):
        if not isinstance(part, dict):
            continue
        key = dotted(path)
        for init_key, init in keyed_items(part.get("init_cfg"), f"{key}.init_cfg"):
            checkpoint = init.get("checkpoint")
            if checkpoint and type_name(init.get("type", "")) in ("Pretrained", "PretrainedInit"):
                yield _start(checkpoint, f"{init_key}.checkpoint", f"{key}.init_cfg")
        legacy = part.get("pretrained")
        if isinstance(legacy, str) and legacy.endswith(_WEIGHT_SUFFIXES):
            yield _start(legacy, f"{key}.pretrained", f"{key}.pretrained")


def _start(path: str, key: str, switch: str) -> _Input:
    change = f"{_set(key)}, or {switch}=None to train from scratch"
    return _checkpoint(path, key, change)


def _checkpoint(path: str, key: str, change: str) -> _Input:
    return _Input(os.path.expanduser(path), key, change)


def _set(key: str, value: str = "PATH") -> str:
    return f"--cfg-options {key}={value}"


def _report(missing: list[_Input]) -> str:
    """Name each missing path once, with all keys that lead to it, then where its data is had."""
    keys_by_path: dict[str, list[str]] = {}
    for item in missing:
        line = f"    from {item.key}\n        to change it: {item.change}"
        keys_by_path.setdefault(os.path.normpath(item.path), []).append(line)
    lines = [f"{len(keys_by_path)} input(s) of this run are missing:"]
    for path, keys in keys_by_path.items():
        lines += [f"  {path}", *keys]
    known = [
        advice
        for pattern, advice in _SOURCES
        if any(pattern.search(path.replace(os.sep, "/")) for path in keys_by_path)
    ]
    return "\n".join([*lines, *known])
