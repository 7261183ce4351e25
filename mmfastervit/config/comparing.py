"""Where two configs differ."""

from collections.abc import Iterator
from typing import Any

from .tree import ABSENT, Path


def differences(was: Any, now: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Yield each place at which two trees differ, with what stands there in each.

    Lists of the same length are compared item by item, others as a whole. Where there is nothing
    it is :data:`~mmfastervit.config.tree.ABSENT`. A list and a tuple of equal items are alike, as
    they are to whoever reads a config.
    """
    if isinstance(was, dict) and isinstance(now, dict):
        for key in [*was, *(key for key in now if key not in was)]:
            yield from differences(was.get(key, ABSENT), now.get(key, ABSENT), (*path, key))
        return
    if _are_lists(was, now) and len(was) == len(now):
        for index, (old, new) in enumerate(zip(was, now, strict=True)):
            yield from differences(old, new, (*path, index))
        return
    if not _are_alike(was, now):
        yield path, was, now


def _are_alike(was: Any, now: Any) -> bool:
    """Whether two values are the same to Python and to a reader: nan is nan, and True is not 1."""
    if isinstance(was, bool) != isinstance(now, bool):
        return False
    return was is now or was == now or (was != was and now != now)


def _are_lists(*values: Any) -> bool:
    return all(isinstance(value, (list, tuple)) for value in values)
