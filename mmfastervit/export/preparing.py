"""What a model's data preprocessor does to pictures, as a module that goes into the file."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmfastervit.forks import swaps_colours

from .adapters import Refused, is_a

_RGB = 3


class Preparation(nn.Module):
    """Pictures to the images that a model's layers take.

    Args:
        preprocessor: Of the model.
        takes_uint8: Whether pictures are uint8 (B, H, W, C), red first, as Pillow, ffmpeg and
            browsers give them. Else they are float32 (B, C, H, W), normalised and in the model's
            order, as :meth:`normalised` makes them.

    Either way images are padded at their right and lower sides, as the preprocessor does.

    Raises:
        Refused: The preprocessor is of a kind that is not known.
    """

    def __init__(self, preprocessor: Any, takes_uint8: bool):
        super().__init__()
        self.takes_uint8 = takes_uint8
        self.size: tuple[int, int] | None = None
        own = is_a(preprocessor, "AnyChannels")  # which swaps the first three of more channels
        if is_a(preprocessor, "SegDataPreProcessor"):
            padding = preprocessor.test_cfg or {}
            self.divisor = padding.get("size_divisor") or 1
            self.size = padding.get("size")
            self.value = float(preprocessor.pad_val)
            self.pads = self.divisor > 1 or self.size is not None
        elif is_a(preprocessor, "ImgDataPreprocessor"):
            self.divisor = preprocessor.pad_size_divisor
            self.value = float(preprocessor.pad_value)
            self.pads = True
        else:
            raise Refused(
                f"pictures are prepared by a {type(preprocessor).__name__}; DetDataPreprocessor, "
                "SegDataPreProcessor and ImgDataPreprocessor can be exported"
            )
        converts = preprocessor.swaps if own else swaps_colours(preprocessor)
        self.flips = not converts  # pipelines read blue first, and here red comes first
        self.swaps_more = own and converts
        normalises = own or preprocessor._enable_normalize
        self.mean: Tensor
        self.std: Tensor
        nothing = torch.tensor([0.0, 1.0])
        mean, std = (preprocessor.mean, preprocessor.std) if normalises else nothing
        self.register_buffer("mean", mean.detach().clone().float().view(-1, 1, 1))
        self.register_buffer("std", std.detach().clone().float().view(-1, 1, 1))

    def forward(self, pictures: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Pictures to images (B, C, H', W'), and the height and width of the pictures."""
        images = self.normalised(pictures) if self.takes_uint8 else pictures
        height, width = images.shape[2:]
        return self.padded(images, height, width), (height, width)

    def normalised(self, pictures: Tensor) -> Tensor:
        """Pictures (B, H, W, C), red first, to normalised images (B, C, H, W)."""
        images = pictures.permute(0, 3, 1, 2).float()
        channels = images.shape[1]
        if self._swaps(channels):
            images = images[:, [2, 1, 0, *range(_RGB, channels)]]
        return (images - self.mean) / self.std

    def _swaps(self, channels: int) -> bool:
        """Whether the first three channels of a picture, red first, are taken in reverse."""
        return self.flips if channels == _RGB else self.swaps_more

    def fill(self, channels: int) -> tuple[float, ...] | None:
        """What pictures are padded with, a number for each channel as :meth:`forward` takes them.

        None where the preprocessor leaves pictures as they are, whatever else is in the batch.
        """
        if not self.pads:
            return None
        values = torch.full((channels, 1, 1), self.value)
        if self.takes_uint8:
            values = (values * self.std + self.mean).round().clamp(0, 255)
            if self._swaps(channels):
                values = values[[2, 1, 0, *range(_RGB, channels)]]
        return tuple(values.flatten().tolist())

    def padded(self, images: Tensor, height: int, width: int) -> Tensor:
        """Images with what a padded batch has at its right and lower sides."""
        if self.size is not None:
            below, beside = (
                torch.sym_max(want - have, 0)
                for want, have in zip(self.size, (height, width), strict=True)
            )
        elif self.divisor > 1:
            below, beside = (-height % self.divisor, -width % self.divisor)
        else:
            return images
        return F.pad(images, (0, beside, 0, below), value=self.value)
