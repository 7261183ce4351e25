"""A look at the checkpoint of a run, when its model is built and before the run begins."""

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn

from mmfastervit.checkpoint.fitting import (
    CheckpointDoesNotFit,
    Fit,
    fit,
    looks,
    unwrapped,
    weights_of,
)
from mmfastervit.checkpoint.loading import part_pretrained
from mmfastervit.checkpoint.reading import read_source
from mmfastervit.checkpoint.sharded import is_sharded
from mmfastervit.checkpoint.whole import learned_classes, load_whole
from mmfastervit.config.datasets import classes_of, dataset_class
from mmfastervit.config.tree import leaf_datasets

from .resuming import check_has_optimizer
from .sharding import ShardedRunner

_PARTIAL = ". To go on with what it gives: --allow-partial"


def look_before_test(runner: Runner, source: str, partial: bool = False) -> None:
    """Look whether a checkpoint gives all learned weights of the model that is tested.

    Every process of a distributed run must call this. What fits is loaded; the run loads it again.

    Args:
        runner: The run, its model built.
        source: The checkpoint: a path, a URL or a name of a zoo.
        partial: Whether a part of the weights is enough; a warning says which.

    Raises:
        FileNotFoundError: There is no such file, or it could not be downloaded.
        ValueError: It is not whole, not of this model, or holds values that are no weights.
    """
    content, found = load_whole(unwrapped(runner.model), source, partial, _PARTIAL)
    _check_names(runner.cfg, "test", content, source)
    if not found.is_whole:
        _warn(found)


def look_before_training(runner: Runner, partial: bool = False) -> None:
    """Look at the checkpoint that a run starts from, or goes on from.

    A new run may have other heads than the checkpoint, as for other classes; a warning then says
    what was not loaded. A run that goes on needs all of the model and the state of its optimizer.

    Every process of a distributed run must call this. What fits is loaded; the run loads it again.

    Args:
        runner: The run, its model built.
        partial: Whether any part of the weights is enough to start from.

    Raises:
        FileNotFoundError: There is no such file, or it could not be downloaded.
        ValueError: It is not whole, not of this model, or holds values that are no weights.
    """
    source, resumes = runner._load_from, runner._resume
    model = unwrapped(runner.model)
    if not resumes:
        _look_at_parts(model)
    if source is None or (is_sharded(source) and isinstance(runner, ShardedRunner)):
        return
    content = read_source(source)
    found = fit(model, content, source)
    if resumes:
        check_has_optimizer(content, source)
        if not found.is_whole:
            raise found.refusal(f". To start anew from what it gives: {_start(source)}")
        _check_names(runner.cfg, "train", content, source)
        _check_optimizer(runner, content["optimizer"], source)
    elif not (found.is_start or (partial and found.loaded)):
        raise found.refusal(_PARTIAL if found.loaded else _of_backbone(found))
    elif not found.is_whole:
        _warn(found)


def _look_at_parts(model: nn.Module) -> None:
    """Look at what parts of a model start from, where mmengine loads it and would only warn."""
    for name, part in model.named_modules():
        if isinstance(part, BaseModule) and type(part).init_weights is BaseModule.init_weights:
            for init_cfg in part_pretrained(part.init_cfg)[0]:
                _look_at_part(name, part, init_cfg["checkpoint"], init_cfg.get("prefix") or "")


def _look_at_part(name: str, part: nn.Module, source: str, prefix: str) -> None:
    key = ".".join(filter(None, ("model", name, "init_cfg")))
    content = read_source(source)
    if prefix:
        prefix = f"{prefix.removesuffix('.')}."
        weights = weights_of(content, source)
        content = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
        if not content:
            raise CheckpointDoesNotFit(
                f"{key}: no name in {source} starts with prefix={prefix!r}; it looks like "
                f"{looks(weights)}"
            )
    found = fit(part, content, source)
    if not found.loaded:
        raise found.refusal(f". {key} names it")


def _start(source: str) -> str:
    return f"--cfg-options load_from={source}, without --resume"


def _of_backbone(found: Fit) -> str:
    return (
        ". A backbone's weights are named by --cfg-options "
        f"model.backbone.init_cfg.checkpoint={found.source}"
    )


def _warn(found: Fit) -> None:
    text = f"{found.source}: {found.loaded} of {found.total} learned weights are loaded; {found}"
    print_log(text, logger="current", level=logging.WARNING)


def _check_names(cfg: Config, stage: str, content: Mapping[str, Any], source: str) -> None:
    """Compare the names of classes that a checkpoint was trained on with those of a run's data.

    Raises:
        CheckpointDoesNotFit: They are the same in another order, so that the model calls each class
            by another's name.
    """
    learned = learned_classes(content)
    key = f"{stage}_dataloader.dataset"
    dataset = (cfg.get(f"{stage}_dataloader") or {}).get("dataset")
    for place, leaf in leaf_datasets(dataset, key) if isinstance(dataset, dict) else ():
        kind = dataset_class(leaf.get("type", ""), cfg.get("default_scope") or "mmengine")
        named = classes_of(leaf, kind)
        if not (learned and named) or named == learned:
            continue
        text = f"{source} was trained on the classes {learned}, and {place} has {named}"
        if sorted(named) == sorted(learned):
            raise CheckpointDoesNotFit(f"{text}: give metainfo.classes in the checkpoint's order")
        print_log(text, logger="current", level=logging.WARNING)


def _check_optimizer(runner: Runner, state: Mapping[str, Any], source: str) -> None:
    """Look whether the state of an optimizer is that of the run's own.

    Raises:
        CheckpointDoesNotFit: It is of another type, or of other groups of parameters.
    """
    runner.optim_wrapper = wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    if not isinstance(wrapper, OptimWrapper):  # several optimizers
        return
    theirs = state.get("param_groups", [])
    ours = wrapper.optimizer.state_dict()["param_groups"]
    kind = type(wrapper.optimizer).__name__
    if [len(group["params"]) for group in theirs] != [len(group["params"]) for group in ours]:
        raise CheckpointDoesNotFit(
            f"{source}: its optimizer has {len(theirs)} groups of parameters, and this {kind} has "
            f"{len(ours)}, or groups of other sizes: optim_wrapper is another than it was"
        )
    settings = set(theirs[0]) - {"initial_lr"}
    lacking = sorted(set(ours[0]) - {"initial_lr"} - settings)
    if lacking:
        raise CheckpointDoesNotFit(
            f"{source}: its optimizer is no {kind}: it has no {', '.join(lacking)}, but "
            f"{', '.join(sorted(settings - set(ours[0]) - {'params'})) or 'nothing else'}: "
            "optim_wrapper.optimizer.type is another than it was"
        )
