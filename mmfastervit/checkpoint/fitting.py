"""Whether a checkpoint is that of a model: what is missing, of another shape, or no weight."""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import Tensor, nn

from .content import WRAPPING_KEYS, find_backbone, shorten
from .names import roots

_STATISTICS = ("running_mean", "running_var")
_MISFIT = re.compile(
    r"size mismatch for (?P<name>\S+): .*?torch\.Size\(\[(?P<file>[\d, ]*)\]\)"
    r".*?torch\.Size\(\[(?P<model>[\d, ]*)\]\)"
)
_HEADS = ("bbox_head", "mask_head", "roi_head", "rpn_head", "panoptic_head", "query_head")
_BARE = ("layer1", "stem", "stages", "downsample_layers", "patch_embed", "levels", "blocks")


class CheckpointDoesNotFit(ValueError):
    """A checkpoint is not that of the model; the message says what is missing, and what it is."""


@dataclass(frozen=True)
class Misfit:
    """A weight that has another shape in the file than in the model."""

    name: str
    file: tuple[int, ...]
    model: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.file} instead of {self.model}"


@dataclass(frozen=True)
class Fit:
    """What of a model a checkpoint gives.

    Args:
        source: The checkpoint.
        model: What to call the model.
        total: Learned weights of the model: parameters and running statistics.
        missing: Names of those that the checkpoint lacks.
        misfits: Those of another shape.
        beyond: Names of weights in parts that the model has too, but smaller: more layers, a bias.
        classes: What the heads say of numbers of classes, where they differ.
        looks: What the checkpoint looks like.
    """

    source: str
    model: str
    total: int
    missing: tuple[str, ...]
    misfits: tuple[Misfit, ...]
    beyond: tuple[str, ...]
    classes: str
    looks: str

    @property
    def loaded(self) -> int:
        """Learned weights of the model that the checkpoint gives."""
        return self.total - len(self.missing) - len(self.misfits)

    @property
    def is_whole(self) -> bool:
        """Whether the checkpoint is that of the model."""
        return not (self.missing or self.misfits or self.beyond)

    @property
    def is_start(self) -> bool:
        """Whether the checkpoint is of a like model: half of it, and no larger part."""
        return 2 * self.loaded >= self.total and not self.beyond

    def __str__(self) -> str:
        parts = [
            self.classes,
            _some(self.missing, f"of {self.total} learned weights are missing"),
            _some(map(str, self.misfits), "are of another shape"),
            _some(self.beyond, "belong to layers that the model lacks"),
        ]
        return "; ".join(filter(None, parts))

    def refusal(self, way_out: str = "") -> CheckpointDoesNotFit:
        """The error that says that this is not enough, and what to do, in one line."""
        text = f"{self.source} does not fit {self.model}: {self}. It looks like {self.looks}"
        return CheckpointDoesNotFit(f"{text}{way_out}")


def _some(names: Iterable[str], what: str) -> str:
    names = [*names]
    return f"{len(names)} {what} ({shorten(names)})" if names else ""


def weights_of(checkpoint: Mapping[str, Any], source: str) -> OrderedDict[str, Tensor]:
    """The weights of a checkpoint as mmengine takes them: under ``state_dict``, or all of it.

    Raises:
        CheckpointDoesNotFit: It has none, or names that are no strings.
    """
    entries = checkpoint.get("state_dict", checkpoint)
    if not isinstance(entries, Mapping) or not all(isinstance(name, str) for name in entries):
        raise CheckpointDoesNotFit(f"{source}: what stands under 'state_dict' are no named weights")
    weights = OrderedDict((re.sub(r"^module\.", "", name), v) for name, v in entries.items())
    weights._metadata = getattr(entries, "_metadata", OrderedDict())  # type: ignore[attr-defined]  # as torch does
    if not any(isinstance(value, Tensor) for value in weights.values()):
        raise CheckpointDoesNotFit(f"{source} holds no weights: {_instead(checkpoint)}")
    return weights


def _instead(checkpoint: Mapping[str, Any]) -> str:
    """What a file without weights has: those of an average, another key, an optimizer."""
    nested = [
        key
        for key, value in checkpoint.items()
        if isinstance(value, Mapping) and any(isinstance(one, Tensor) for one in value.values())
    ]
    keys = ", ".join(map(repr, checkpoint)) or "nothing"
    if nested:
        return f"there are some under {nested[0]!r}, and mmengine reads those under 'state_dict'"
    return f"it holds {keys}"


def check_values(weights: Mapping[str, Any], source: str, model: nn.Module | None = None) -> None:
    """Look whether the values of weights are such that a model can compute with.

    Args:
        weights: By name; what is no tensor is no weight.
        source: What to call them in the error.
        model: Which of them it has as floating-point numbers; None takes all that are no counters.

    Raises:
        CheckpointDoesNotFit: Some are no tensors, complex, whole numbers, not finite, or without
            values; names the first few.
    """
    targets = {} if model is None else _entries(model)
    faults: dict[str, list[str]] = {}
    for name, value in weights.items():
        target = targets.get(name)
        floats = target.is_floating_point() if target is not None else _is_floating(name)
        if fault := _fault(value, floats):
            faults.setdefault(fault, []).append(name)
    if faults:
        told = "; ".join(_some(names, f"are {fault}") for fault, names in faults.items())
        raise CheckpointDoesNotFit(f"{source} is not read: of its {len(weights)} weights {told}")


def _is_floating(name: str) -> bool:
    return name.rpartition(".")[2] in ("weight", "bias", "gamma", *_STATISTICS)


def _fault(value: Any, is_floating: bool) -> str | None:
    """What is wrong with a value; nothing, if it is not meant to be one of floating point."""
    if not isinstance(value, Tensor):
        return "no tensors" if is_floating else None
    if value.is_meta:
        return "without values"
    if value.is_complex():
        return "complex numbers"
    if value.is_floating_point():
        return None if _is_finite(value) else "not finite (NaN or infinite)"
    return "whole numbers" if is_floating else None


def _is_finite(value: Tensor) -> bool:
    """Whether no number is NaN or infinite: a sum of them all would be so too."""
    dense = value.to_dense() if value.layout is not torch.strided else value
    return bool(torch.isfinite(dense.to(torch.float32).sum(dtype=torch.float64)))


def fit(
    model: nn.Module, checkpoint: Mapping[str, Any], source: str, called: str | None = None
) -> Fit:
    """Load a checkpoint into a model as mmengine does, and see what of the model it gives.

    The model's own hooks rename weights of older versions and of other implementations, so nothing
    but loading tells what fits; what does is loaded.

    Args:
        model: The model itself, no wrapper.
        checkpoint: What the file holds.
        source: What to call it in errors.
        called: What to call the model there.

    Raises:
        CheckpointDoesNotFit: It has no weights, values that are none, or a FasterViT of another
            architecture.
    """
    weights = weights_of(checkpoint, source)
    check_values(weights, source, model)
    learned = _learned(model)
    missing, unexpected, misfits = _load(model, weights, source)
    return Fit(
        source,
        called or f"this {type(model).__name__}",
        len(learned),
        tuple(name for name in missing if name in learned),
        tuple(misfits),
        tuple(name for name in unexpected if _is_beyond(model, name)),
        _classes(model, misfits),
        looks(weights),
    )


def unwrapped(model: nn.Module) -> nn.Module:
    """The model in wrappers for several processes or for test-time augmentation."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = cast(nn.Module, model.module)
    return model


def _entries(model: nn.Module) -> dict[str, Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _learned(model: nn.Module) -> set[str]:
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    names += [name for name, _ in model.named_buffers() if name.endswith(_STATISTICS)]
    return set(names)


def _load(
    model: nn.Module, weights: OrderedDict, source: str
) -> tuple[list[str], list[str], list[Misfit]]:
    """Load what fits; return names that are missing, such that have no place, and misfits."""
    found: list[Any] = []
    handle = model.register_load_state_dict_post_hook(lambda _, keys: found.append(keys))
    misfits = []
    try:
        model.load_state_dict(weights, strict=False)
    except RuntimeError as error:  # shapes, which torch names in its message alone
        misfits = [_misfit(match) for match in _MISFIT.finditer(str(error))]
        if not misfits:
            text = " ".join(str(error).split())
            raise CheckpointDoesNotFit(f"{source} can't be loaded: {text}") from error
    except ValueError as error:  # the FasterViT inside is another, as it says
        raise CheckpointDoesNotFit(f"{source}: {error}") from error
    finally:
        handle.remove()
    return list(found[0].missing_keys), list(found[0].unexpected_keys), misfits


def _misfit(match: re.Match) -> Misfit:
    shapes = (tuple(map(int, re.findall(r"\d+", match[side]))) for side in ("file", "model"))
    return Misfit(match["name"], *shapes)


def _is_beyond(model: nn.Module, name: str) -> bool:
    """Whether a weight without a place tells that a part of the model is larger in the file.

    A head that the model does not have at all, or a table, tells nothing.
    """
    *path, leaf = name.split(".")
    part = model
    for step in path:
        inner = getattr(part, step, None)
        if not isinstance(inner, nn.Module):
            return step.isdigit() and len(part._modules) > 0
        part = inner
    return leaf in ("weight", "bias")


def _classes(model: nn.Module, misfits: Iterable[Misfit]) -> str:
    """Say of heads whose shapes differ with the number of classes how many there are."""
    told: dict[str, list[str]] = {}
    for misfit in misfits:
        parts = misfit.name.split(".")
        owners = (".".join(parts[:end]) for end in range(len(parts) - 1, 0, -1))
        for owner in owners:
            known = getattr(model.get_submodule(owner), "num_classes", None)
            if not isinstance(known, int):
                continue
            other = _classes_in(misfit, known)
            if other:
                told.setdefault(f"{other} classes instead of {known}", []).append(owner)
            break
    return "; ".join(
        f"it has {what} ({shorten(list(dict.fromkeys(owners)))}: num_classes)"
        for what, owners in told.items()
    )


def _classes_in(misfit: Misfit, known: int) -> int | None:
    """The number of classes of the file, where the first dimension alone differs with it."""
    if misfit.file[1:] != misfit.model[1:] or not misfit.file:
        return None
    ours, theirs = misfit.model[0], misfit.file[0]
    if ours - known in (0, 1):  # one more for the background
        return theirs - (ours - known)
    if ours % known == 0 and theirs % (ours // known) == 0:  # anchors or box sides for each class
        return theirs // (ours // known)
    return None


def looks(weights: Mapping[str, Any]) -> str:
    """Say what weights look like, by their names: a detector, a segmentor, a backbone, ..."""
    parts = roots(weights)
    named = f"{', '.join(parts[:6])}{', ...' if len(parts) > 6 else ''}"
    inside = _backbone_in(weights)
    if any(key in weights for key in WRAPPING_KEYS):
        return f"a file whose weights stand deeper than mmengine looks ({named})"
    if "decode_head" in parts:
        return f"a segmentor{inside} ({named})"
    if any(part in parts for part in _HEADS):
        return f"a detector{inside} ({named})"
    if "backbone" in parts and "head" in parts:
        return f"a classifier{inside} ({named})"
    if "backbone" in parts:
        return f"a part of a model{inside} ({named})"
    if inside or any(part in parts for part in _BARE):
        return f"a backbone or classifier alone{inside} ({named})"
    return f"another model ({named})"


def _backbone_in(weights: Mapping[str, Any]) -> str:
    try:
        content = find_backbone(weights, "")
    except ValueError:  # it has another backbone, or none
        return ""
    return f" with {' or '.join(content.archs)}" if content.archs else " with a FasterViT"
