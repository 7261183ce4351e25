"""Whether pictures are what the templates load: three channels of 8 bits, or grey of 8."""

from collections.abc import Iterable
from pathlib import Path

import mmcv

from mmfastervit.pixels import dropped


def check_pictures(paths: Iterable[Path], template: str) -> None:
    """Look whether the loader of the templates keeps what is in the pictures.

    Args:
        paths: The pictures to open.
        template: Whose lines are to be written by hand otherwise.

    Raises:
        ValueError: A picture has more than 8 bits or channels that the loader drops, or OpenCV
            can't read it.
    """
    for path in paths:
        content = path.read_bytes()
        try:
            read = mmcv.imfrombytes(content, flag="color", backend="cv2")
        except Exception:  # decoders raise anything at broken bytes
            read = None
        if read is None:
            raise ValueError(
                f"{path} is no picture that OpenCV reads: mend it or take it out; files of more "
                "than four channels need tifffile (docs/own-data.md#pictures-that-are-not-rgb)"
            )
        lost = dropped(content, read)
        if lost:
            raise ValueError(
                f"{path} has {lost}, of which the loader makes 8 bits and 3 channels: copy "
                f"configs/own/{template}.py by hand and add the lines of "
                "docs/own-data.md#pictures-that-are-not-rgb, or store 8-bit RGB"
            )
