"""Which stages of a network a user names."""

from collections.abc import Sequence
from itertools import pairwise


def resolve_stages(
    stages: Sequence[int], number: int, name: str = "stages", increasing: bool = False
) -> tuple[int, ...]:
    """Turn stage numbers, negative ones counting from the last, into 0 ... ``number - 1``.

    Args:
        stages: What the user gave.
        number: Stages that there are.
        name: Of the argument, for messages.
        increasing: Whether they must be in order.

    Raises:
        TypeError: Not a sequence of integers.
        ValueError: None given, one out of range or twice, or not in order.
    """
    if isinstance(stages, str) or not isinstance(stages, Sequence):
        raise TypeError(f"{name}={stages!r} must be a sequence such as (2, 3)")
    if not all(isinstance(i, int) for i in stages):
        raise TypeError(f"{name}={stages!r} must be integers")
    resolved = tuple(i + number if i < 0 else i for i in stages)
    in_range = all(0 <= i < number for i in resolved)
    in_order = not increasing or all(a < b for a, b in pairwise(resolved))
    if not resolved or not in_range or not in_order or len(set(resolved)) < len(resolved):
        order = " in increasing order" if increasing else ""
        raise ValueError(
            f"{name}={stages!r} must name at least one stage, none twice{order}, each from "
            f"{-number} to {number - 1}"
        )
    return resolved
