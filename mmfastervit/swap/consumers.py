"""Which parts of a model read the backbone's maps, and how they change with them.

A part is rewritten only after its old values were found to be those of the old backbone; what can't
be explained is an error, never a guess.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mmfastervit.config.tree import Path, type_name, value_at

from .changes import Change
from .levels import Level, is_dilated, match_order

# Necks that read the last map alone, whatever else the backbone gives out.
_LAST_ONLY = {"CTResNetNeck", "DilatedEncoder", "GlobalAveragePooling"}
# Necks that look at the backbone's maps by fixed positions, those that they don't read included.
_ALL_MAPS = {"NASFCOS_FPN"}
_DILATED_KEYS = ("dilations",)
DECODE_KEYS = ("decode_head", "auxiliary_head")


class Reading(NamedTuple):
    """What a decode head reads after the swap.

    Args:
        indices: Positions of the maps, in the old model's count.
        why: Reason for the new ``in_index``.
    """

    indices: tuple[int, ...]
    why: str = "FasterViT gives out only the maps that are read"


def neck_configs(part: dict) -> tuple[dict, ...]:
    """The necks of a model, in order; most have one, some none."""
    neck = part.get("neck")
    if not neck:
        return ()
    return tuple(neck) if isinstance(neck, (list, tuple)) else (neck,)


def used_levels(part: dict, levels: Sequence[Level]) -> tuple[int, ...]:
    """Which of the backbone's maps, by position, the swapped model is to read.

    Raises:
        ValueError: the config of a reader says something that does not fit the number of maps.
    """
    necks, count = neck_configs(part), len(levels)
    if necks:
        used = _used_by_neck(necks[0], count)
    elif "decode_head" in part:
        used = {i for reading in plan_readings(part, (), levels).values() for i in reading.indices}
    else:
        used = set(range(count))
    outside = [i for i in used if not 0 <= i < count]
    if outside:
        raise ValueError(f"the model reads maps {sorted(used)} of a backbone that has {count}")
    return tuple(sorted(used))


def _used_by_neck(neck: dict, count: int) -> set[int]:
    if type_name(neck["type"]) in _LAST_ONLY:
        return {count - 1}
    if wants_all_maps(neck):
        return set(range(count))
    end = neck.get("end_level", -1)
    return set(range(neck.get("start_level", 0), count if end in (-1, count - 1) else end + 1))


def wants_all_maps(neck: dict) -> bool:
    """Whether the neck counts on all maps being there, and leaves some unread."""
    return type_name(neck["type"]) in _ALL_MAPS


def decode_heads(part: dict, path: Path) -> Iterator[tuple[Path, dict]]:
    """Yield every decode head of a segmentor with its place, those inside other heads included."""
    for key in DECODE_KEYS:
        yield from _heads_in(part.get(key), (*path, key))


def has_decode_heads(part: dict) -> bool:
    """Whether the model is a segmentor of that kind."""
    return next(decode_heads(part, ()), None) is not None


def _heads_in(head: Any, path: Path) -> Iterator[tuple[Path, dict]]:
    if isinstance(head, (list, tuple)):
        for i, one in enumerate(head):
            yield from _heads_in(one, (*path, i))
    elif isinstance(head, dict):
        inner = "kernel_generate_head"
        if inner in head:
            yield from _heads_in(head[inner], (*path, inner))
        elif "in_channels" in head:
            yield path, head


def plan_readings(part: dict, path: Path, levels: Sequence[Level]) -> dict[Path, Reading]:
    """What each decode head is to read: what it read, where FasterViT's maps allow that.

    OCRHead weighs its map, pixel by pixel, with what the head before it found. A dilated network
    has two maps of one size for them; of FasterViT's, both heads read the one of OCRHead.
    """
    count = len(levels)
    readings = {}
    for place, head in decode_heads(part, path):
        readings[place] = Reading(head_indices(head, count))
        if len(readings[place].indices) < len(named_indices(head, count)):
            why = "without lateral connections it reads the last map alone"
            readings[place] = Reading(readings[place].indices, why)
        if type_name(head.get("type", "")) == "OCRHead" and is_dilated(levels):
            why = "the map that OCRHead, which multiplies its own with this head's output, reads"
            readings[(*place[:-1], place[-1] - 1)] = Reading(readings[place].indices, why)
    return readings


def head_indices(head: dict, count: int) -> tuple[int, ...]:
    """Positions of the maps that a decode head reads, of ``count``."""
    index = named_indices(head, count)
    if type_name(head.get("type", "")) == "EncHead" and not head.get("add_lateral"):
        index = index[-1:]
    return (0, *index) if head.get("c1_in_channels") else index


def named_indices(head: dict, count: int) -> tuple[int, ...]:
    """Positions of the maps that a decode head's ``in_channels`` are those of."""
    channels = head["in_channels"]
    default = range(len(channels)) if isinstance(channels, (list, tuple)) else -1
    index = head.get("in_index", default)
    index = (index,) if isinstance(index, int) else tuple(index)
    return tuple(i + count if i < 0 else i for i in index)


def rewrite_neck(
    neck: dict, path: Path, old: Sequence[Level], new: Sequence[Level], used: Sequence[int]
) -> list[Change]:
    """Let the first neck read the new maps.

    Args:
        neck: Its config.
        path: Its place in the config.
        old: All levels of the old backbone.
        new: The levels of the new one, one for each of ``used``.
        used: Positions in ``old`` of the levels that the neck reads.

    Raises:
        ValueError: its ``in_channels`` are not those of the old backbone.
    """
    changes = []
    was = neck.get("in_channels")
    if was is not None:
        now = _new_in_channels(was, path, old, new, used)
        changes.append(_change(neck, path, "in_channels", now, "the channels of FasterViT's maps"))
    if neck.get("start_level") and not wants_all_maps(neck):
        why = f"FasterViT gives out only the {len(new)} maps that are read"
        changes.append(_change(neck, path, "start_level", 0, why))
        if neck.get("end_level", -1) not in (-1, len(old) - 1):
            end = neck["end_level"] - neck["start_level"]
            changes.append(_change(neck, path, "end_level", end, why))
    if type_name(neck["type"]) == "SSDNeck":
        now = (*(level.channels for level in new), *neck["out_channels"][len(new) :])
        why = "SSD's first maps are the backbone's own"
        changes.append(_change(neck, path, "out_channels", now, why))
    return [change for change in changes if change.was != change.now]


def _new_in_channels(
    was: int | Sequence[int],
    path: Path,
    old: Sequence[Level],
    new: Sequence[Level],
    used: Sequence[int],
) -> int | Sequence[int]:
    if isinstance(was, int):
        if len(used) != 1 or old[used[0]].channels != was:
            raise _unexplained(path, was, [old[i] for i in used])
        return new[0].channels
    order = match_order(was, old)
    if order is None and len(was) == len(used):
        order = match_order(was, [old[i] for i in used])
    if order is None:
        raise _unexplained(path, was, old)
    channels = [level.channels for level in new]
    return type(was)(channels[::-1] if len(order) > 1 and order[0] > order[-1] else channels)


def rewrite_decode_head(
    head: dict,
    path: Path,
    old: Sequence[Level],
    new: Sequence[Level],
    kept: Sequence[int],
    reading: Reading,
) -> list[Change]:
    """Let a decode head read the new maps.

    Args:
        head: Its config.
        path: Its place in the config.
        old: All levels that reached the old heads.
        new: The levels that reach the new ones, one for each of ``kept``.
        kept: Positions in ``old`` of the levels that are still there.
        reading: What it is to read, see :func:`plan_readings`.

    Raises:
        ValueError: its ``in_channels`` are not those of the maps that it reads.
    """
    low_level = bool(head.get("c1_in_channels"))
    named = named_indices(head, len(old))
    read = reading.indices[1:] if low_level else reading.indices
    place = {level: i for i, level in enumerate(kept)}
    was = head["in_channels"]
    if ([was] if isinstance(was, int) else list(was)) != [old[i].channels for i in named]:
        raise _unexplained(path, was, [old[i] for i in named])

    changes = [
        _change(head, path, "in_channels", _like(was, [new[place[i]].channels for i in read]),
                "the channels of FasterViT's maps")
    ]  # fmt: skip
    if "in_index" in head or kept != tuple(range(len(old))):
        places = tuple(place[i] for i in read)
        now = _like(head.get("in_index", -1 if isinstance(was, int) else list(was)), places)
        if "in_index" not in head or named_indices(head, len(kept)) != places:
            changes.append(_change(head, path, "in_index", now, reading.why))
    if low_level:
        if head["c1_in_channels"] != old[0].channels:
            raise _unexplained((*path, "c1_in_channels"), head["c1_in_channels"], old[:1])
        why = "the channels of FasterViT's finest map"
        changes.append(_change(head, path, "c1_in_channels", new[place[0]].channels, why))
    coarser = new[place[read[-1]]].stride // max(old[named[-1]].stride, 1)
    changes += _rescaled_dilations(head, path, coarser)
    return [change for change in changes if change.was != change.now]


def _rescaled_dilations(head: dict, path: Path, coarser: int) -> Iterator[Change]:
    for key in _DILATED_KEYS:
        if key in head and coarser > 1:
            now = type(head[key])(max(1, round(rate / coarser)) for rate in head[key])
            why = f"the map is {coarser} times coarser: the same reach in the image"
            yield _change(head, path, key, now, why)


def rewrite_plain_heads(
    part: dict, path: Path, old: Sequence[Level], new: Sequence[Level]
) -> Iterator[Change]:
    """Let heads that read the maps without a neck, or through a neck that hands them on, follow.

    Every ``in_channels`` (and a RoI extractor's ``out_channels``) that equals the old levels'
    becomes the new levels'.
    """
    was, now = [level.channels for level in old], [level.channels for level in new]
    for key, value in part.items():
        if key not in ("backbone", "neck", "data_preprocessor"):
            yield from _follow(value, (*path, key), was, now)


def _follow(value: Any, path: Path, was: list[int], now: list[int]) -> Iterator[Change]:
    if isinstance(value, dict):
        extractor = "RoIExtractor" in type_name(value.get("type", ""))
        for key, inner in value.items():
            names_channels = key == "in_channels" or (extractor and key == "out_channels")
            if names_channels and _names(inner, was):
                new = now[-1] if isinstance(inner, int) else type(inner)(now)
                why = "the channels of FasterViT's maps"
                yield Change((*path, key), inner, new, why)
            else:
                yield from _follow(inner, (*path, key), was, now)
    elif isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            yield from _follow(inner, (*path, i), was, now)


def _names(value: Any, channels: list[int]) -> bool:
    if isinstance(value, int):
        return len(set(channels)) == 1 and value == channels[0]
    return isinstance(value, (list, tuple)) and list(value) == channels


def _like(was: Any, values: Sequence[int]) -> Any:
    return values[0] if isinstance(was, int) else type(was)(values)


def _change(part: dict, path: Path, key: str, now: Any, why: str) -> Change:
    return Change((*path, key), value_at(part, (key,)), now, why)


def _unexplained(path: Path, was: Any, levels: Sequence[Level]) -> ValueError:
    found = ", ".join(map(str, levels))
    return ValueError(
        f"{'.'.join(map(str, path))} names channels {was}, and the backbone gives {found}: "
        "the config does not fit its own backbone"
    )
