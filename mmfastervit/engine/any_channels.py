"""Normalising images of any number of channels: what the preprocessors of ours share."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

_RGB = 3


class AnyChannels(BaseDataPreprocessor):
    """Stands before a preprocessor of mm's in the bases of a class, and normalises in its place.

    Args:
        mean: A value for each channel, in the units of the files; for 16 bits up to 65535.
        std: The same of the standard deviation.
        bgr_to_rgb: Swap the first and the third channel; others stay.
        rgb_to_bgr: The same.
        options: Further ones of mm's.

    Raises:
        ValueError: Of ``mean`` and ``std`` one has fewer values, or there are fewer than three to
            swap.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        bgr_to_rgb: bool = False,
        rgb_to_bgr: bool = False,
        **options: Any,
    ):
        super().__init__(**options)
        if len(mean) != len(std):
            raise ValueError(
                f"mean has {len(mean)} values and std {len(std)}: give one for each channel"
            )
        self.swaps = bgr_to_rgb or rgb_to_bgr
        if self.swaps and len(mean) < _RGB:
            raise ValueError(f"images of {len(mean)} channels have no red and blue to swap")
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Normalise a batch, and do what mm's preprocessor does but for that.

        Args:
            data: ``inputs``, images (C, H, W) or one tensor of them, and ``data_samples``.
            training: Whether batch augmentations apply.

        Raises:
            ValueError: The images have other channels than ``mean`` has values.
        """
        data = dict(self.cast_data(data))
        images = data["inputs"]
        is_one = isinstance(images, Tensor)
        data["inputs"] = self._normal(images) if is_one else [self._normal(one) for one in images]
        return super().forward(data, training)

    def _normal(self, images: Tensor) -> Tensor:
        """Images (..., C, H, W) with the mean taken off and divided by the deviation."""
        channels = images.shape[-3]
        if channels != len(self.mean):
            raise ValueError(
                f"the images have {channels} channels and data_preprocessor.mean has "
                f"{len(self.mean)} values; LoadImageFromFile loads all channels with "
                "color_type='unchanged'"
            )
        images = images.float()
        if self.swaps:
            images = images[..., [2, 1, 0, *range(_RGB, channels)], :, :]
        return (images - self.mean) / self.std
