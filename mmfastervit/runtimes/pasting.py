"""Masks at the size of a picture, from those that a file gives at the size of the head."""

import numpy as np


def paste_masks(
    masks: np.ndarray, boxes: np.ndarray, size: tuple[int, int], threshold: float = 0.5
) -> np.ndarray:
    """Spread masks over their boxes, bilinearly, as mmdet does.

    Args:
        masks: (N, h, w), probabilities over the area of each box.
        boxes: (N, 4) as left, top, right, bottom, in pixels.
        size: Height and width of the picture.
        threshold: A pixel belongs to the object from this probability on.

    Returns:
        (N, height, width), bool.
    """
    pasted = np.zeros((len(masks), *size), bool)
    for whole, mask, (left, top, right, bottom) in zip(pasted, masks, boxes, strict=True):
        rows = _weights(size[0], top, bottom, mask.shape[0])
        columns = _weights(size[1], left, right, mask.shape[1])
        whole[:] = rows @ mask.astype(np.float32) @ columns.T >= threshold
    return pasted


def _weights(pixels: int, low: float, high: float, cells: int) -> np.ndarray:
    """(pixels, cells): how much of each cell between two edges the centre of a pixel shows."""
    centres = (np.arange(pixels, dtype=np.float32) + 0.5 - low) / max(high - low, 1e-6) * cells
    away = np.abs(centres[:, None] - 0.5 - np.arange(cells, dtype=np.float32))
    return np.clip(1 - away, 0, 1)
