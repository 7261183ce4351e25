"""From a config and an architecture to the list of changes that swap the backbone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from mmengine.config import Config

from mmfastervit.config.changes import Change, apply_changes
from mmfastervit.config.tree import Path

from .context import make_context
from .rules import RULES


@dataclass(frozen=True)
class Swap:
    """What a swap does.

    Args:
        original: The config before.
        changes: Every value that is set, in the order of the model.
        notes: Consequences that no single change shows.
        model_path: Place of the model that holds the backbone.
    """

    original: Config
    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    model_path: Path

    @property
    def config(self) -> Config:
        """The config after."""
        return apply_changes(self.original, self.changes)


def swap_backbone(
    cfg: Config | str | FilePath,
    arch: str | Mapping,
    *,
    pretrained: str | None = None,
    backbone_options: Mapping[str, Any] | None = None,
    keep_optimizer: bool = False,
) -> Config:
    """Put FasterViT in place of the backbone of a detector, segmentor or classifier.

    The old backbone is built from its config and run once, so that each map it gave out is known by
    channels and stride; whatever reads them is changed to read FasterViT's map of that stride.

    Args:
        cfg: A config, a config file, or the name of an installed one, ``"mmdet::FOLDER/FILE.py"``.
        arch: Name of the architecture, ``"fastervit_0"`` and so on, or a dict of the fields of
            :class:`~mmfastervit.archs.Arch`.
        pretrained: Weights: a file, a URL, ``"mmfastervit://NAME"``, or ``"none"``; None takes the
            published ones of ``arch`` (for non-commercial use).
        backbone_options: Further arguments of :class:`~mmfastervit.FasterViT`.
        keep_optimizer: Leave SGD where it is SGD, instead of the recipe's AdamW.

    Returns:
        A new config; ``cfg`` is left as it was.

    Raises:
        SwapRefusedError: the backbone of this model can't be swapped; says why.
        ValueError: an unknown arch, weights that don't fit it, or a config that doesn't fit itself.
        FileNotFoundError: there is no such config, or no such file of weights.
        TypeError: an unknown option.
    """
    return plan_swap(cfg, arch, pretrained, backbone_options, keep_optimizer).config


def plan_swap(
    cfg: Config | str | FilePath,
    arch: str | Mapping,
    pretrained: str | None = None,
    backbone_options: Mapping[str, Any] | None = None,
    keep_optimizer: bool = False,
) -> Swap:
    """Work out what :func:`swap_backbone` does; arguments and errors are the same."""
    context = make_context(cfg, arch, pretrained, backbone_options, keep_optimizer)
    outcomes = [rule(context) for rule in RULES]
    changes = tuple(change for outcome in outcomes for change in outcome.changes)
    notes = tuple(note for outcome in outcomes for note in outcome.notes)
    return Swap(context.original, changes, notes, context.path)
