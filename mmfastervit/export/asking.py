"""What a model itself predicts on pictures, as they are and shaken by the size of rounding."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from .adapters import is_a

_NOISE = 2e-3  # in steps of the 256 of a picture: a hundred-thousandth of what it is worth
_ROUNDING = 1e-6  # of the values that a layer gives; float32 has a step of 1.2e-7, and sums add up
_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
_RGB = 3


def fitted(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture (H, W, C) scaled to a height and width."""
    height, width = size
    scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return scaled.reshape(height, width, -1)


def predicted(model: Any, pictures: Sequence[np.ndarray]) -> list[Any]:
    """Data samples with what a model itself predicts on pictures, by its ``test_step``.

    See :func:`batch_of` for the arguments.
    """
    with torch.no_grad():
        return model.test_step(batch_of(model, pictures))


def batch_of(model: Any, pictures: Sequence[np.ndarray]) -> dict[str, list]:
    """Pictures as a loader of tests gives them to a model's ``test_step``.

    Args:
        model: A detector or segmentor of mm, in eval mode.
        pictures: (H, W, C) of one size, red first where there are three channels.
    """
    size = pictures[0].shape[:2]
    inputs, samples = [], []
    for picture in pictures:
        ordered = picture[..., ::-1] if picture.shape[2] == _RGB else picture
        inputs.append(torch.from_numpy(np.ascontiguousarray(ordered.transpose(2, 0, 1))))
        meta = dict(
            img_id=0, img_path="", ori_shape=size, img_shape=size, pad_shape=size,
            scale_factor=(1.0, 1.0), flip=False, flip_direction=None,
        )  # fmt: skip
        samples.append(_sample(model, meta))
    return dict(inputs=inputs, data_samples=samples)


def _sample(model: nn.Module, meta: dict) -> Any:
    if is_a(model, "BaseSegmentor"):
        from mmseg.structures import SegDataSample as Sample
    else:
        from mmdet.structures import DetDataSample as Sample
    return Sample(metainfo=meta)


def _shaken(pictures: Sequence[np.ndarray], seed: int) -> list[np.ndarray]:
    """Pictures with noise of the size of rounding."""
    random = np.random.default_rng(seed)
    return [
        picture + _NOISE * random.standard_normal(picture.shape, np.float32) for picture in pictures
    ]


@contextmanager
def _rounding(model: nn.Module, seed: int) -> Iterator[None]:
    """While it lasts, every layer's values have noise of the size of rounding.

    So boxes that see the same, as those beside the picture do, no longer have one score, and which
    of them drops the other is open, as it is where mmcv sorts them.
    """
    random = torch.Generator().manual_seed(seed)

    def shake(layer: nn.Module, inputs: Any, values: Tensor) -> Tensor:
        spread = _ROUNDING * values.square().mean().sqrt()
        return values + spread * torch.randn(values.shape, generator=random)

    handles = [
        layer.register_forward_hook(shake)
        for layer in model.modules()
        if isinstance(layer, _LAYERS)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def predicted_shaken(model: Any, pictures: Sequence[np.ndarray], seed: int) -> list[Any]:
    """What a model predicts with noise of the size of rounding, on pictures and behind layers."""
    with _rounding(model, seed):
        return predicted(model, _shaken(pictures, seed))
