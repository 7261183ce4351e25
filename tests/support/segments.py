"""Panoptic labels read without ``panopticapi``, the package that mmdet's own loader wants.

It stands in for that loader alone; mmdet's metric for panoptic maps has no such stand-in.
"""

import numpy as np
from mmdet.datasets.transforms import LoadAnnotations, LoadPanopticAnnotations
from mmdet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadSegmentAnnotations(LoadPanopticAnnotations):
    """mmdet's loader, but for its constructor, which asks for the package."""

    def __init__(self) -> None:
        LoadAnnotations.__init__(self, with_mask=True, with_seg=True)
        self.rgb2id = numbers


def numbers(picture: np.ndarray) -> np.ndarray:
    """Segments (H, W) of pixels (H, W, 3), red first: digits of base 256, the lowest first.

    COCO's page on its data formats defines them so.
    """
    return picture.astype(np.int64) @ np.array([1, 256, 256**2])
