"""What a loader drops of a picture: depth, and channels that hold something."""

import mmcv
import numpy as np

_JPEG = b"\xff\xd8"  # 8 bits, and colours that OpenCV reads as three channels, always


def dropped(content: bytes, read: np.ndarray) -> str:
    """What a picture has more than what was read of it.

    A further channel of one value throughout, such as the alpha of an opaque picture, holds nothing
    and may go.

    Args:
        content: The bytes of the file.
        read: What the loader made of it, (H, W) or (H, W, channels).

    Returns:
        The picture's depth and channels, as ``16 bits and 1 channel``; '' where nothing is lost,
        and where OpenCV can't tell.
    """
    if content.startswith(_JPEG):
        return ""
    whole = mmcv.imfrombytes(content, flag="unchanged", backend="cv2")
    if whole is None:
        return ""
    further = np.atleast_3d(whole)[..., _channels(read) :]
    is_lost = further.size and (further != further[:1, :1]).any()
    if whole.dtype.itemsize <= read.dtype.itemsize and not is_lost:
        return ""
    channels = _channels(whole)
    return f"{8 * whole.dtype.itemsize} bits and {channels} channel{'s' if channels > 1 else ''}"


def _channels(pixels: np.ndarray) -> int:
    return 1 if pixels.ndim == 2 else pixels.shape[2]
