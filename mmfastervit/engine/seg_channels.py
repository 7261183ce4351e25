"""Normalising the images of a segmentor that have any number of channels."""

from mmseg.models.data_preprocessor import SegDataPreProcessor

from .any_channels import AnyChannels


class SegChannelsPreprocessor(AnyChannels, SegDataPreProcessor):
    """mmseg's ``SegDataPreProcessor`` for images of any number of channels, on all of its releases.

    Of the maintained forks (``onedl-mmsegmentation``) mmseg's own takes statistics of one or three
    channels; on OpenMMLab's own releases it takes any, and swaps red and blue where there are three
    channels alone. In a config it is
    ``type="mmfastervit.engine.seg_channels.SegChannelsPreprocessor"``.

    Its arguments are a value of ``mean`` and of ``std`` for each channel, in the units of the files
    (for 16 bits up to 65535), ``bgr_to_rgb`` or ``rgb_to_bgr`` to swap the first and the third
    channel, and mmseg's further ones: ``size``, ``size_divisor``, ``test_cfg`` and so on.

    Raises:
        ValueError: Of ``mean`` and ``std`` one has fewer values, or there are fewer than three to
            swap.
    """
