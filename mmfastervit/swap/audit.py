"""Whether the heads of the swapped model read what they read before, and what they declare."""

from collections.abc import Iterator, Sequence
from typing import Any

from mmfastervit.config.tree import Path, plain, value_at

from .consumers import decode_heads, has_decode_heads, head_indices, neck_configs
from .errors import SwapAuditError
from .levels import Level, is_dilated
from .measure import measure
from .planning import Swap, scope_of

_DECLARED = ("strides", "featmap_strides", "feature_strides")


def audit(swap: Swap) -> list[str]:
    """Compare every map that reaches a head before and after the swap.

    Both models' backbones and necks are built from the finished configs and run, so this depends
    on none of the rules that made the changes.

    Returns:
        A line for each head whose map has another stride, which only dilated networks cause.

    Raises:
        SwapAuditError: a head reads a map of other channels or another stride than it should.
    """
    before, after = plain(swap.original.to_dict()), plain(swap.config.to_dict())
    scope = scope_of(before)
    parts = [value_at(cfg, swap.model_path) for cfg in (before, after)]
    (old, old_out), (_, new_out) = (
        measure(
            part["backbone"], neck_configs(part), scope, parts[0]["backbone"].get("in_channels", 3)
        )
        for part in parts
    )
    may_coarsen, outs = is_dilated(old), (old_out, new_out)
    if has_decode_heads(parts[0]):
        reads = [_decode_reads(part, out) for part, out in zip(parts, outs, strict=True)]
    else:
        reads = [{"heads": list(out)} for out in outs]
    differences = []
    for name, levels in reads[0].items():
        differences += _compare(name, levels, reads[1].get(name), may_coarsen)
    _check_declared(parts, swap.model_path, old_out, new_out)
    return differences


def _decode_reads(part: dict, levels: Sequence[Level]) -> dict[str, list[Level]]:
    reads = {}
    for path, head in decode_heads(part, ()):
        name = ".".join(map(str, path))
        reads[name] = [levels[i] for i in head_indices(head, len(levels))]
        declared = head["in_channels"]
        declared = [declared] if isinstance(declared, int) else list(declared)
        found = [level.channels for level in reads[name]]
        both = min(len(declared), len(found))  # a low-level map is declared apart, unread ones too
        if declared[-both:] != found[-both:]:
            raise SwapAuditError(f"{name} declares channels {declared} and reads {found}")
    return reads


def _compare(
    name: str, old: Sequence[Level], new: Sequence[Level] | None, may_coarsen: bool
) -> Iterator[str]:
    if new is None or len(old) != len(new):
        raise SwapAuditError(f"{name} read {len(old)} maps, and now {len(new or ())}")
    before, after = [level.stride for level in old], [level.stride for level in new]
    if before == after:
        return
    if not may_coarsen or any(a < b for a, b in zip(after, before, strict=True)):
        raise SwapAuditError(f"{name} read strides {before}, and now {after}")
    yield f"{name} read strides {before}, and now {after}"


def _check_declared(
    parts: Sequence[dict], path: Path, old: Sequence[Level], new: Sequence[Level]
) -> None:
    """A head that declared the true strides must declare the true ones again."""
    true = [[level.stride for level in levels] for levels in (old, new)]
    declared = [dict(_declarations(part, path)) for part in parts]
    for place, before in declared[0].items():
        after = declared[1].get(place)
        was_true = before == true[0][: len(before)]
        if was_true and after != true[1][: len(after or ())]:
            raise SwapAuditError(f"{place} declares strides {after}, and the maps have {true[1]}")


def _declarations(value: Any, path: Path) -> Iterator[tuple[str, list[int]]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("backbone", "neck"):
                continue
            if key in _DECLARED and isinstance(inner, (list, tuple)):
                yield ".".join(map(str, (*path, key))), list(inner)
            else:
                yield from _declarations(inner, (*path, key))
    elif isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            yield from _declarations(inner, (*path, i))
