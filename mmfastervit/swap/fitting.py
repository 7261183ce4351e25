"""Which of FasterViT's maps take the place of the old backbone's, and what reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmfastervit.archs import NUM_STAGES
from mmfastervit.config.tree import ABSENT, Path, plain, type_name
from mmfastervit.models.backbones.fastervit import STRIDES

from .backbone import fastervit_config, settings_of
from .changes import Change
from .consumers import (
    decode_heads,
    neck_configs,
    plan_readings,
    rewrite_decode_head,
    rewrite_neck,
    rewrite_plain_heads,
    used_levels,
)
from .levels import Level, is_dilated, stages_for
from .measure import POOLING, measure
from .refusals import nearest_config


@dataclass(frozen=True)
class Maps:
    """What backbone and necks give out, before and after.

    Args:
        old: Levels of the old backbone.
        old_out: Those after the necks.
        used: Positions in ``old`` of the maps that FasterViT's take the place of.
        stages: FasterViT's stages that give them, one for each of ``used``.
        backbone: Config of the FasterViT that gives out those.
        scope: The OpenMMLab package whose names the config uses.
        in_channels: Channels of an image.
    """

    old: tuple[Level, ...]
    old_out: tuple[Level, ...]
    used: tuple[int, ...]
    stages: tuple[int, ...]
    backbone: dict
    scope: str | None
    in_channels: int

    def new_out(self, necks: Sequence[dict] = ()) -> tuple[Level, ...]:
        """Levels that FasterViT gives out, or those after ``necks``, their configs."""
        return measure(self.backbone, necks, self.scope, self.in_channels)[1]


def fit_backbone(
    part: dict,
    arch: str | Mapping,
    checkpoint: str | None,
    options: Mapping[str, Any],
    scope: str | None,
) -> Maps:
    """Measure the old backbone of ``part``, a model, and choose the FasterViT for its place.

    Args:
        part: Config of the model.
        arch: See :func:`~mmfastervit.swap.backbone.fastervit_config`, as the next two.
        checkpoint: Weights.
        options: Further arguments, which go before what the old backbone had.
        scope: The OpenMMLab package whose names the config uses.

    Raises:
        SwapRefusedError: FasterViT has no maps of those strides.
        ValueError: the old backbone or its necks don't run, or an unknown arch.
        TypeError: an unknown option.
    """
    in_channels = part["backbone"].get("in_channels", 3)
    old, old_out = measure(part["backbone"], neck_configs(part), scope, in_channels)
    used = used_levels(part, old)
    all_stages = stages_for(old, nearest_config(part, scope))
    stages = tuple(all_stages[i] for i in used)
    options = {**settings_of(part["backbone"]), **options}
    backbone = fastervit_config(arch, stages, checkpoint, options, in_channels)
    return Maps(old, old_out, used, stages, backbone, scope, in_channels)


def reader_changes(part: dict, path: Path, maps: Maps) -> list[Change]:
    """Changes of the neck and of the heads of ``part``, the model at ``path``.

    Raises:
        ValueError: what a neck or head names does not fit the old backbone, or says nothing.
    """
    necks = [plain(neck) for neck in neck_configs(part)]
    changes, kept = [], maps.used
    if necks:
        changes, kept = _neck_changes(part, path, maps), tuple(range(len(maps.old_out)))
        necks[0].update({change.path[-1]: change.now for change in changes})
    elif maps.old[0].stride == 0:
        necks = [dict(type=POOLING)]
        now = dict(_delete_=True, **necks[0]) if "neck" in part else necks[0]
        why = "the old backbone pooled its last map itself"
        changes = [Change((*path, "neck"), part.get("neck", ABSENT), now, why)]
    new_out = maps.new_out(necks)
    if neck_configs(part) and len(new_out) != len(maps.old_out):
        raise ValueError(
            f"{type_name(necks[0]['type'])} gave {len(maps.old_out)} maps, and with FasterViT "
            f"{len(new_out)}"
        )
    if new_out != maps.old_out:
        changes += _head_changes(part, path, maps.old_out, new_out, kept)
    return changes


def _neck_changes(part: dict, path: Path, maps: Maps) -> list[Change]:
    listed = isinstance(part["neck"], (list, tuple))
    neck_path = (*path, "neck", 0) if listed else (*path, "neck")
    return rewrite_neck(neck_configs(part)[0], neck_path, maps.old, maps.new_out(), maps.used)


def _head_changes(
    part: dict,
    path: Path,
    old_out: Sequence[Level],
    new_out: Sequence[Level],
    kept: tuple[int, ...],
) -> list[Change]:
    readings = plan_readings(part, path, old_out)
    if not readings:
        return _plain_head_changes(part, path, [old_out[i] for i in kept], new_out)
    changes = []
    for place, head in decode_heads(part, path):
        changes += rewrite_decode_head(head, place, old_out, new_out, kept, readings[place])
    return changes


def _plain_head_changes(
    part: dict, path: Path, old: Sequence[Level], new: Sequence[Level]
) -> list[Change]:
    changes = list(rewrite_plain_heads(part, path, old, new))
    if not changes:
        raise ValueError(
            f"no head of {type_name(part['type'])} names the channels of the maps that it reads, "
            f"{[level.channels for level in old]}: it can't be told what to change"
        )
    return changes


def consequences(part: dict, maps: Maps) -> list[str]:
    """Say what the swap of the backbone brings with it that no single change shows."""
    notes = []
    old, stages = maps.old, maps.stages
    strides = [[old[i].stride for i in maps.used], [STRIDES[stage] for stage in stages]]
    if strides[0] != strides[1] and is_dilated(old):
        notes.append(
            f"the old backbone was dilated: the maps that are read have strides {strides[0]}, and "
            f"FasterViT's {strides[1]}: cheaper, and coarser at borders. A decoder that refines "
            "(UPerNet, FPN) loses less"
        )
    if len(old) == 1 and old[0].stride == 16:
        notes.append(
            "the old backbone gave one map of stride 16 (dilated C5, or C4); FasterViT gives stage "
            "2's, of that stride, and its stage 3 is not built. The FPN config uses all stages"
        )
    elif stages[-1] < NUM_STAGES - 1:
        notes.append(
            f"the coarsest map that is read has stride {strides[1][-1]}: FasterViT's stages after "
            f"stage {stages[-1]} are not built"
        )
    if part["backbone"].get("in_channels", 3) != 3:
        notes.append(
            f"images have {part['backbone']['in_channels']} channels: published weights, for 3, "
            "don't fit, and none are named"
        )
    extras = [key for key in ("dcn", "plugins", "gen_attention") if part["backbone"].get(key)]
    if extras:
        notes.append(f"{', '.join(extras)} of the old backbone are gone: they were its own layers")
    return notes
