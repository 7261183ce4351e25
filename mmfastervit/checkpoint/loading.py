"""Loading a checkpoint into a FasterViT: all of it fits, or it is an error."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, cast

import torch
from mmengine.logging import print_log
from mmengine.model import PretrainedInit, update_init_info
from torch import Tensor, nn

from mmfastervit.archs import ARCHS, ATTENTION_STAGES, NUM_STAGES, Arch

from .content import Content, arch_in, essentials, find_backbone, shorten
from .fitting import check_values
from .reading import read_source, stated_arch
from .stem import STEM, adapt_stem


@dataclass(frozen=True)
class LoadReport:
    """What became of a checkpoint's weights; as a string, one line.

    Args:
        source: The checkpoint.
        archs: Published architectures that it agrees with; none for a custom one.
        loaded: Entries of the model's state dict, parameters and running statistics, that it gave.
        total: Entries that there are.
        missing: Names of entries that it lacks and that keep their values: output norms.
        unexpected: Names in it that belong to no part of a FasterViT, not loaded.
        dropped: Names in it that have no use here, by kind, not loaded.
    """

    source: str
    archs: tuple[str, ...]
    loaded: int
    total: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    dropped: Mapping[str, list[str]]

    def __str__(self) -> str:
        return (
            f"{self.source}: {' or '.join(self.archs) or 'custom arch'}, {self.loaded} of "
            f"{self.total} parameters loaded; missing: {count(self.missing)}; unexpected: "
            f"{count(self.unexpected)}; dropped: {count_kinds(self.dropped)}"
        )


def load_backbone(
    model: nn.Module,
    checkpoint: str | Path,
    prefix: str | None = None,
    trust_checkpoint: bool = False,
    adapt_channels: bool = False,
) -> LoadReport:
    """Load a checkpoint into a FasterViT: a published file, our own, or a detector's.

    Every process of a distributed run must call this: see :func:`.sources.resolve_source`.

    Args:
        model: The backbone.
        checkpoint: Path, URL, or ``mmfastervit://NAME``.
        prefix: What precedes the backbone's names in the file, where it is not a usual one.
        trust_checkpoint: Unpickle whatever the file holds, which runs any code its author put
            there.
        adapt_channels: Fit a stem of another number of channels, see :func:`.stem.adapt_stem`.

    Raises:
        FileNotFoundError: There is no such file, or it could not be downloaded.
        ValueError: The file is unreadable, of another architecture, lacks learned weights, or has
            some that are not finite, complex or whole numbers: all of it fits, or nothing is
            loaded.
    """
    source = str(checkpoint)
    entries = read_source(source, trust_checkpoint)
    content = find_backbone(entries, source, prefix, stated_arch(entries))
    if adapt_channels:
        weights = adapt_stem(content.weights, cast(int, model.in_channels))
        content = replace(content, weights=weights)
    return _load(model, content, source)


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], source: str) -> LoadReport:
    """Load weights under published or our names into a FasterViT.

    Raises:
        ValueError: They are of another architecture, or lack learned weights.
    """
    return _load(model, find_backbone(weights, source), source)


def _pretrained(**arguments: Any) -> Callable[[nn.Module], LoadReport]:
    """Stand in for mmengine's ``PretrainedInit``: an initialiser by :func:`load_backbone`."""
    return partial(load_backbone, **arguments)


def with_own_loader(init_cfg: dict | list[dict] | None) -> list[dict]:
    """Replace mmengine's loader of ``Pretrained`` in an ``init_cfg`` by ours, and put it last."""
    pretrained, others = part_pretrained(init_cfg)
    return others + [{**cfg, "type": _pretrained} for cfg in pretrained]


def part_pretrained(init_cfg: dict | list[dict] | None) -> tuple[list[dict], list[dict]]:
    """Part the entries of an ``init_cfg`` into those that load a checkpoint and the others."""
    configs = [init_cfg] if isinstance(init_cfg, dict) else init_cfg or []
    pretrained = [cfg for cfg in configs if cfg.get("type") in ("Pretrained", PretrainedInit)]
    return pretrained, [cfg for cfg in configs if cfg not in pretrained]


def translate_on_load(
    module: nn.Module, weights: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *_: Any
) -> None:
    """Pre-hook of ``load_state_dict``: turn a checkpoint below ``prefix`` into our own names.

    Where names had to change, or learned weights are missing, that is logged. Whether missing and
    unexpected names are errors, ``strict`` decides, as for any module of torch. A plain dict, which
    has no metadata, loads by names and shapes alone.

    Raises:
        ValueError: There are weights of another shape below ``prefix``, or of an architecture
            whose outputs differ.
    """
    inside = weights
    if prefix:
        inside = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    if not inside:
        return
    source = f"the checkpoint below {prefix!r}" if prefix else "the checkpoint"
    try:
        content = find_backbone(inside, source, arch=arch_in(local_metadata))
    except ValueError as error:  # all of it missing and unexpected
        print_log(str(error), logger="current", level=logging.WARNING)
        return
    report = check_fit(module, content, source, whole=False)
    if not content.weights.keys() <= inside.keys():
        for name in list(inside):
            del weights[prefix + name]
        found = content.weights | content.unexpected
        weights.update({prefix + name: value for name, value in found.items()})
    elif not any(map(_is_learned, report.missing)):
        return
    print_log(str(report), logger="current")


def check_fit(model: nn.Module, content: Content, source: str, whole: bool = True) -> LoadReport:
    """Compare weights with a FasterViT's, by name, shape, and architecture where it is stated.

    Args:
        model: The backbone.
        content: The weights.
        source: What to call them in errors.
        whole: Whether it is an error that learned weights are missing, or have no place. Output
            norms, which classifiers do not have, and counters of batches may be missing, and what
            belongs to parts that the model does not build is dropped.

    Raises:
        ValueError: They do not fit; names the architecture that they look like.
    """
    target, num_stages = shapes_of(model), len(cast(nn.ModuleList, model.stages))
    later = [(f"stages.{i}.", f"downsamples.{i - 1}.") for i in range(num_stages, NUM_STAGES)]
    strangers = [name for name in content.weights if name not in target]
    not_built = [name for name in strangers if name.startswith(("out_norms.", *chain(*later)))]
    missing = [name for name in target if name not in content.weights]
    misfits = [
        f"{name} {tuple(value.shape)} instead of {tuple(target[name])}"
        for name, value in content.weights.items()
        if name in target and value.shape != target[name]
    ]
    problems = _some("of another shape", misfits)
    problems += _arch_misfits(content, cast(Arch, model.arch), num_stages)
    if whole:
        problems += [
            *_some("missing", [name for name in missing if _is_learned(name)]),
            *_some("of no place here", [name for name in strangers if name not in not_built]),
        ]
    if problems:
        advice = _advise(model, content)
        raise ValueError(f"{source} does not fit this FasterViT: {'; '.join(problems)}. {advice}")
    return LoadReport(
        source,
        tuple(content.archs),
        len(target) - len(missing),
        len(target),
        tuple(missing),
        tuple(content.unexpected),
        content.dropped | ({"of parts not built": not_built} if not_built else {}),
    )


def shapes_of(model: nn.Module) -> dict[str, torch.Size]:
    """Shapes of the entries of a model's state dict.

    ``state_dict()`` itself would gather the values of a sharded model from all processes.
    """
    entries: dict[str, Tensor] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        module._save_to_state_dict(entries, f"{path}." if path else "", keep_vars=True)
    return {name: value.shape for name, value in entries.items()}


def count(names: Collection[str]) -> str:
    """Count names and give the first few."""
    return f"{len(names)} ({shorten(names)})" if names else "none"


def count_kinds(names_by_kind: Mapping[str, list[str]]) -> str:
    """Count names by kind."""
    return ", ".join(f"{len(names)} {kind}" for kind, names in names_by_kind.items()) or "none"


def _load(model: nn.Module, content: Content, source: str) -> LoadReport:
    report = check_fit(model, content, source)
    check_values(content.weights, source)
    model.load_state_dict(content.weights, strict=False)
    if hasattr(model, "_params_init_info"):  # while mmengine initialises the model
        update_init_info(model, init_info=f"loaded from {source}")
    print_log(str(report), logger="current")
    return report


def _is_learned(name: str) -> bool:
    return not name.startswith("out_norms.") and not name.endswith(".num_batches_tracked")


def _arch_misfits(content: Content, arch: Arch, num_stages: int) -> list[str]:
    """Differences of architecture that matter to the outputs of what a model builds."""
    windows = dict(zip(ATTENTION_STAGES, arch.windows, strict=True))
    ours = essentials(arch, num_stages)
    theirs = essentials(content.arch, num_stages) if content.arch else ours
    return [
        f"windows of {side} pixels instead of {windows[stage]} in stage {stage}"
        for stage, side in content.windows.items()
        if stage < num_stages and side != windows[stage]
    ] + [
        f"{name}={theirs[name]} instead of {value}"
        for name, value in ours.items()
        if name != "windows" and theirs[name] != value
    ]


def _some(what: str, names: list[str]) -> list[str]:
    return [f"{len(names)} {what} ({shorten(names)})"] if names else []


def _advise(model: nn.Module, content: Content) -> str:
    """Say which architecture weights look like that do not fit."""
    stem = content.weights.get(STEM)
    if stem is not None and stem.ndim == 4 and stem.shape[1] != model.in_channels:
        return (
            f"Its stem reads images of {stem.shape[1]} channels, the model's in_channels is "
            f"{model.in_channels}: adapt_channels=True in init_cfg fits it"
        )
    if any(ARCHS[name] == model.arch for name in content.archs):
        return "Its architecture is that of the model"
    way_out = f": set arch={content.archs[0]!r}" if content.archs else ""
    return f"It looks like {content.looks}{way_out}"
