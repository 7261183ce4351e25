"""How far what runs a file and torch are apart."""

from collections.abc import Iterable

import numpy as np


def largest_difference(found: Iterable[np.ndarray], expected: Iterable[np.ndarray]) -> float:
    """The largest difference over all outputs, each over its largest value.

    Args:
        found: Outputs of a file.
        expected: Those of torch, of the same shapes and in the same order.

    Returns:
        NaN where a value is not a number.
    """
    pairs = zip(found, expected, strict=True)
    # np.max of a list with NaN is NaN, unlike Python's max
    return float(
        np.max([np.abs(ours - torchs).max() / np.abs(torchs).max() for ours, torchs in pairs])
    )
