"""What the rules of the swap look at: a config, its model, and the maps before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from mmengine.config import Config

from mmfastervit.checkpoint.choosing import checkpoint_for
from mmfastervit.config.changes import Change
from mmfastervit.config.finding import read_config
from mmfastervit.config.tree import Path, dict_at, plain, type_name, value_at

from .errors import SwapRefusedError
from .levels import Level, stages_for
from .probing import channels_of, measure, measure_part, necks_of
from .replacement import fastervit_config, settings_of
from .zoo import check_model, check_parts, nearest_config, used_levels


@dataclass(frozen=True)
class Context:
    """A config whose backbone is to be swapped. Rules read it and change nothing in it.

    Args:
        original: The config.
        cfg: The same as plain dicts and lists.
        path: Place of the model that holds the backbone.
        old: Levels that the old backbone gives out.
        old_out: Levels after the old necks.
        used: Positions in ``old`` of the maps that FasterViT's take the place of.
        stages: FasterViT's stages that give them, one for each of ``used``.
        backbone: Config of the FasterViT that gives out those.
        checkpoint: Its weights; None to train from scratch.
        published: Weights that were left out because nobody named them and their stem reads
            another number of channels.
        keep_optimizer: Whether SGD stays.
    """

    original: Config
    cfg: dict
    path: Path
    old: tuple[Level, ...]
    old_out: tuple[Level, ...]
    used: tuple[int, ...]
    stages: tuple[int, ...]
    backbone: dict
    checkpoint: str | None
    published: str | None
    keep_optimizer: bool

    @property
    def part(self) -> dict:
        """Config of the model that holds the backbone."""
        return value_at(self.cfg, self.path)

    @property
    def necks(self) -> tuple[dict, ...]:
        """Configs of the old necks."""
        return necks_of(self.part)

    @property
    def scope(self) -> str | None:
        """The OpenMMLab package whose names the config uses."""
        return self.cfg.get("default_scope")

    @property
    def in_channels(self) -> int:
        """Channels of an image."""
        return channels_of(self.part)

    def section(self, *path: str | int) -> dict:
        """A dict of the config; an empty one where there is none."""
        return dict_at(self.cfg, path)

    def new_out(self, necks: Sequence[dict] = ()) -> tuple[Level, ...]:
        """Levels that FasterViT gives out, or those after ``necks``, their configs."""
        return measure(self.backbone, necks, self.scope, self.in_channels)[1]


@dataclass(frozen=True)
class Outcome:
    """What a rule of the swap does.

    Args:
        changes: Every value that it sets.
        notes: Consequences that no single change shows.
    """

    changes: Sequence[Change] = ()
    notes: Sequence[str] = ()


def make_context(
    cfg: Config | str | FilePath,
    arch: str | Mapping,
    pretrained: str | None = None,
    backbone_options: Mapping[str, Any] | None = None,
    keep_optimizer: bool = False,
) -> Context:
    """Read a config, measure its old backbone, and choose the FasterViT for its place.

    Arguments and errors are those of :func:`~mmfastervit.swap.planning.swap_backbone`.
    """
    original = cfg if isinstance(cfg, Config) else read_config(cfg)
    tree = plain(original.to_dict())
    scope = tree.get("default_scope")
    check_model(tree, scope)
    path = find_model(tree)
    part = value_at(tree, path)
    check_parts(part, scope)
    checkpoint = checkpoint_for(arch, pretrained)
    in_channels, published = channels_of(part), None
    if in_channels != 3 and pretrained is None:
        checkpoint, published = None, checkpoint  # the published stem reads three channels
    old, old_out = measure_part(part, scope)
    used = used_levels(part, old)
    all_stages = stages_for(old, nearest_config(part, scope))
    stages = tuple(all_stages[i] for i in used)
    options = {**settings_of(part["backbone"]), **(backbone_options or {})}
    backbone = fastervit_config(arch, stages, checkpoint, options, in_channels)
    return Context(
        original,
        tree,
        path,
        old,
        old_out,
        used,
        stages,
        backbone,
        checkpoint,
        published,
        keep_optimizer,
    )


def find_model(cfg: dict) -> Path:
    """Place of the model that holds the image backbone: the config's, or the detector inside it.

    Raises:
        SwapRefusedError: there is none.
    """
    for path in (("model",), ("model", "detector")):
        if dict_at(cfg, (*path, "backbone")):
            return path
    kind = type_name(cfg["model"].get("type", ""))
    raise SwapRefusedError(f"its model {kind} has no backbone")
