"""Neck and heads follow the backbone's maps.

A part is rewritten only after its old values were found to be those of the old backbone; what can't
be explained is an error, never a guess. What named parts read stands in :mod:`..zoo`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from mmfastervit.config.changes import Change
from mmfastervit.config.tree import ABSENT, Path, dotted, plain, type_name, value_at, walk
from mmfastervit.swap.context import Context, Outcome
from mmfastervit.swap.levels import Level
from mmfastervit.swap.probing import POOLING
from mmfastervit.swap.zoo import Reading, decode_heads, named_indices, plan_readings, reader_of

_CHANNELS = "the channels of FasterViT's maps"


def rule(context: Context) -> Outcome:
    """Let the neck, or else the heads, read FasterViT's maps; then the heads the neck's.

    Raises:
        ValueError: what a neck or head names does not fit the old backbone, or says nothing.
    """
    necks = [plain(neck) for neck in context.necks]
    changes, kept = [], context.used
    if necks:
        listed = isinstance(context.part["neck"], (list, tuple))
        path = (*context.path, "neck", *((0,) if listed else ()))
        changes = rewrite_neck(necks[0], path, context.old, context.new_out(), context.used)
        kept = tuple(range(len(context.old_out)))
        necks[0].update({change.path[-1]: change.now for change in changes})
    elif context.old[0].stride == 0:
        necks = [dict(type=POOLING)]
        now = dict(_delete_=True, **necks[0]) if "neck" in context.part else necks[0]
        why = "the old backbone pooled its last map itself"
        was = context.part.get("neck", ABSENT)
        changes = [Change((*context.path, "neck"), was, now, why)]
    new_out = context.new_out(necks)
    if context.necks and len(new_out) != len(context.old_out):
        raise ValueError(
            f"{type_name(necks[0]['type'])} gave {len(context.old_out)} maps, and with FasterViT "
            f"{len(new_out)}"
        )
    if new_out != context.old_out:
        changes += rewrite_heads(context.part, context.path, context.old_out, new_out, kept)
    return Outcome(changes + _unread_maps(context))


def _unread_maps(context: Context) -> list[Change]:
    if not any(reader_of(neck).wants_all for neck in context.necks):
        return []
    key = "find_unused_parameters"
    why = "the neck wants all maps and does not read the first: its norm gets no gradient"
    return [Change((key,), context.cfg.get(key, ABSENT), True, why)]


def rewrite_neck(
    neck: dict, path: Path, old: Sequence[Level], new: Sequence[Level], used: Sequence[int]
) -> list[Change]:
    """Let the first neck, at ``path``, read the new levels, one for each of the ``used`` old ones.

    Raises:
        ValueError: the channels that it names are not those of the old backbone.
    """
    reader, values = reader_of(neck), []
    was = neck.get(reader.channels)
    if was is not None:
        now = _new_channels(was, (*path, reader.channels), old, new, used)
        values.append((reader.channels, now, _CHANNELS))
    if neck.get("start_level") and not reader.wants_all:
        why = f"FasterViT gives out only the {len(new)} maps that are read"
        values.append(("start_level", 0, why))
        if neck.get("end_level", -1) not in (-1, len(old) - 1):
            values.append(("end_level", neck["end_level"] - neck["start_level"], why))
    if reader.also is not None:
        values += reader.also(neck, [old[i] for i in used], new)
    return _changes(neck, path, values)


def _new_channels(
    was: Any, path: Path, old: Sequence[Level], new: Sequence[Level], used: Sequence[int]
) -> Any:
    """Channels of the new levels in the order in which ``was`` names the old: forward or back."""
    channels, read = [level.channels for level in new], [old[i] for i in used]
    if isinstance(was, int):
        if [was] != [level.channels for level in read]:
            raise _unexplained(path, was, read)
        return channels[0]
    for levels in (old, read):
        for step in (1, -1):
            if list(was) == [level.channels for level in levels][::step]:
                return type(was)(channels[::step])
    raise _unexplained(path, was, old)


def rewrite_heads(
    part: dict, path: Path, old: Sequence[Level], new: Sequence[Level], kept: tuple[int, ...]
) -> list[Change]:
    """Let all heads of the model ``part`` at ``path`` read the new levels.

    Args:
        part: Config of the model.
        path: Its place.
        old: All levels that reached the old heads.
        new: The levels that reach the new ones, one for each of ``kept``.
        kept: Positions in ``old`` of the levels that are still there.

    Raises:
        ValueError: a head's channels are not those of its maps, or no head names any.
    """
    readings = plan_readings(part, path, old)
    changes = [
        change
        for place, head in decode_heads(part, path)
        for change in rewrite_decode_head(head, place, old, new, kept, readings[place])
    ]
    if not readings:
        kept_old = [old[i] for i in kept]
        changes = list(rewrite_plain_heads(part, path, kept_old, new))
        if not changes:
            raise ValueError(
                f"no head of {type_name(part['type'])} names the channels of the maps that it "
                f"reads, {[level.channels for level in kept_old]}: it can't be told what to change"
            )
    return changes


def rewrite_decode_head(
    head: dict,
    path: Path,
    old: Sequence[Level],
    new: Sequence[Level],
    kept: Sequence[int],
    reading: Reading,
) -> list[Change]:
    """Let one decode head read what ``reading`` says; see :func:`rewrite_heads` for the rest."""
    reader, low_level = reader_of(head), bool(head.get("c1_in_channels"))
    named = named_indices(head, len(old))
    read = reading.indices[1:] if low_level else reading.indices
    place = {level: i for i, level in enumerate(kept)}
    was = head[reader.channels]
    if ([was] if isinstance(was, int) else list(was)) != [old[i].channels for i in named]:
        raise _unexplained((*path, reader.channels), was, [old[i] for i in named])

    now = _like(was, [new[place[i]].channels for i in read])
    values: list[tuple[str, Any, str]] = [(reader.channels, now, _CHANNELS)]
    places = tuple(place[i] for i in read)
    moved = reader.index in head or tuple(kept) != tuple(range(len(old)))
    if moved and (reader.index not in head or named_indices(head, len(kept)) != places):
        like = head.get(reader.index, -1 if isinstance(was, int) else list(was))
        values.append((reader.index, _like(like, places), reading.why))
    if low_level:
        if head["c1_in_channels"] != old[0].channels:
            raise _unexplained((*path, "c1_in_channels"), head["c1_in_channels"], old[:1])
        why = "the channels of FasterViT's finest map"
        values.append(("c1_in_channels", new[place[0]].channels, why))
    coarser = new[place[read[-1]]].stride // max(old[named[-1]].stride, 1)
    if "dilations" in head and coarser > 1:
        rates = type(head["dilations"])(max(1, round(r / coarser)) for r in head["dilations"])
        why = f"the map is {coarser} times coarser: the same reach in the image"
        values.append(("dilations", rates, why))
    if reader.also is not None:
        values += reader.also(head, [old[i] for i in named], [new[place[i]] for i in read])
    return _changes(head, path, values)


def rewrite_plain_heads(
    part: dict, path: Path, old: Sequence[Level], new: Sequence[Level]
) -> Iterator[Change]:
    """Let heads that read the maps without a neck, or through a neck that hands them on, follow.

    What equals the old levels' channels, under ``in_channels`` and under the argument that a part's
    reader names (a RoI extractor's ``out_channels``), becomes the new levels'.
    """
    was, now = [level.channels for level in old], [level.channels for level in new]
    for place, value in walk(part, path, skip=("backbone", "neck", "data_preprocessor")):
        if not isinstance(value, dict):
            continue
        for key in dict.fromkeys(("in_channels", reader_of(value).channels)):
            if _names(value.get(key), was):
                channels = now[-1] if isinstance(value[key], int) else type(value[key])(now)
                yield Change((*place, key), value[key], channels, _CHANNELS)


def _names(value: Any, channels: list[int]) -> bool:
    if isinstance(value, int):
        return len(set(channels)) == 1 and value == channels[0]
    return isinstance(value, (list, tuple)) and list(value) == channels


def _like(was: Any, values: Sequence[int]) -> Any:
    return values[0] if isinstance(was, int) else type(was)(values)


def _changes(part: dict, path: Path, values: Sequence[tuple[str, Any, str]]) -> list[Change]:
    """The values that are new, as changes of the part at ``path``."""
    changes = [Change((*path, key), value_at(part, (key,)), now, why) for key, now, why in values]
    return [change for change in changes if change.was != change.now]


def _unexplained(path: Path, was: Any, levels: Sequence[Level]) -> ValueError:
    return ValueError(
        f"{dotted(path)} names channels {was}, and the backbone gives "
        f"{', '.join(map(str, levels))}: the config does not fit its own backbone"
    )
