"""Weights of a stem that was trained on images of other channels."""

from collections.abc import Mapping

from torch import Tensor

STEM = "stem.conv1.weight"


def adapt_stem(weights: Mapping[str, Tensor], in_channels: int) -> dict[str, Tensor]:
    """Fit the stem's first convolution to images of another number of channels.

    For one channel its kernels are summed: a grey image then gives what its three equal channels
    gave. For any other number channel ``i`` takes the kernels of channel ``i % n`` of the old
    ``n``, all multiplied by ``n / in_channels``, so that responses keep their size.

    Args:
        weights: Of a FasterViT, under our names. They are not changed. A stem that is no
            convolution stays as it is, for whatever loads it to refuse.
        in_channels: Channels of the images.

    Returns:
        The weights, the stem's (out, in_channels, 3, 3) among them.
    """
    stem = weights.get(STEM)
    if stem is None or stem.ndim != 4 or stem.shape[1] == in_channels:
        return dict(weights)
    old = stem.shape[1]
    if in_channels == 1:
        fitted = stem.sum(dim=1, keepdim=True)
    else:
        fitted = stem[:, [i % old for i in range(in_channels)]] * (old / in_channels)
    return {**weights, STEM: fitted.to(stem.dtype)}
