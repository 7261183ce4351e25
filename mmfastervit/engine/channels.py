"""Normalising the images of a detector that have any number of channels."""

from mmdet.models.data_preprocessors import DetDataPreprocessor

from .any_channels import AnyChannels


class DetChannelsPreprocessor(AnyChannels, DetDataPreprocessor):
    """mmdet's ``DetDataPreprocessor`` for images of any number of channels and any depth.

    mmdet's own takes statistics of one or three channels, and of an image with more it keeps three
    where it swaps red and blue. In a config it is
    ``type="mmfastervit.engine.channels.DetChannelsPreprocessor"``: it needs mmdet, which the
    package itself does without.

    Its arguments are a value of ``mean`` and of ``std`` for each channel, in the units of the files
    (for 16 bits up to 65535), ``bgr_to_rgb`` or ``rgb_to_bgr`` to swap the first and the third
    channel, and mmdet's further ones: ``pad_size_divisor``, ``pad_mask`` and so on.

    Raises:
        ValueError: Of ``mean`` and ``std`` one has fewer values, or there are fewer than three to
            swap.
    """
