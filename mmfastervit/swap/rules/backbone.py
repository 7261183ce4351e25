"""The backbone itself: FasterViT in the old one's place, and what that brings with it."""

from collections.abc import Iterator

from mmfastervit.archs import NUM_STAGES
from mmfastervit.config.changes import Change
from mmfastervit.config.tree import plain
from mmfastervit.models.backbones.fastervit import STRIDES
from mmfastervit.swap.context import Context, Outcome
from mmfastervit.swap.levels import is_dilated
from mmfastervit.swap.replacement import settings_of

_SAID = {"with_cp": "with_cp=True", "norm_cfg": "SyncBN"}


def rule(context: Context) -> Outcome:
    """Put FasterViT, with the maps that are read, in the old backbone's place."""
    old = plain(context.part["backbone"])
    lost = {
        key: old[key]
        for key in ("frozen_stages", "norm_eval")
        if old.get(key, False) not in (False, None, -1)
    }
    why = "the new backbone, with the maps that are read"
    if lost:
        listed = ", ".join(f"{key}={value}" for key, value in lost.items())
        why += f"; {listed} of the old one do not carry over: all of it is trained"
    kept = [
        _SAID[key] for key, value in settings_of(old).items() if context.backbone.get(key) == value
    ]
    if kept:
        why += f"; {' and '.join(kept)} as the old one had"
    now = dict(_delete_=True, **context.backbone)
    change = Change((*context.path, "backbone"), old, now, why)
    return Outcome([change], list(_consequences(context)))


def _consequences(context: Context) -> Iterator[str]:
    old, stages, part = context.old, context.stages, context.part
    before, after = [old[i].stride for i in context.used], [STRIDES[stage] for stage in stages]
    if before != after and is_dilated(old):
        yield (
            f"the old backbone was dilated: the maps that are read have strides {before}, and "
            f"FasterViT's {after}: cheaper, and coarser at borders. A decoder that refines "
            "(UPerNet, FPN) loses less"
        )
    if len(old) == 1 and old[0].stride == 16:
        yield (
            "the old backbone gave one map of stride 16 (dilated C5, or C4); FasterViT gives stage "
            "2's, of that stride, and its stage 3 is not built. The FPN config uses all stages"
        )
    elif stages[-1] < NUM_STAGES - 1:
        yield (
            f"the coarsest map that is read has stride {after[-1]}: FasterViT's stages after "
            f"stage {stages[-1]} are not built"
        )
    if context.in_channels != 3 and context.checkpoint is None:
        yield (
            f"images have {context.in_channels} channels: published weights, for 3, "
            "don't fit, and none are named"
        )
    extras = [key for key in ("dcn", "plugins", "gen_attention") if part["backbone"].get(key)]
    if extras:
        yield f"{', '.join(extras)} of the old backbone are gone: they were its own layers"
