"""The frames of a video or a camera, and whether all of them came."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from .pictures import Unreadable

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")
USUAL_RATE = 25.0  # pictures a second, where a video does not tell
_MOST_FRAMES = 1e9  # what tells more does not know it
# Some containers tell how many frames they hold by their length in time: a few may be missing.
_MISSING, _MISSING_SHARE = 2, 0.02


def frames(source: int | str) -> Iterator[tuple[np.ndarray, float]]:
    """Each frame (H, W, 3), blue first, with how many there are a second.

    Args:
        source: A video's path, or the number of a camera, which ends when the user does.

    Raises:
        Unreadable: It can't be opened, has no frame, or ends well before the number of frames that
            it tells, which shows behind the last frame.
    """
    with _opened(source) as video:
        rate = video.get(cv2.CAP_PROP_FPS)
        rate = rate if 0 < rate < 1000 else USUAL_RATE
        told = _told(video)
        number = 0
        while (found := video.read())[0]:
            yield found[1], rate
            number += 1
    if number == 0:
        raise Unreadable("it has no picture that OpenCV can read")
    if isinstance(source, str) and told is not None and _is_cut(number, told):
        raise Unreadable(
            f"it ends after {number} of the {told} frames that it tells of: it is cut off or "
            "broken there; the frames before are done"
        )


def count_frames(source: int | str) -> int | None:
    """How many frames a video tells of; None where it does not, can't be opened, or is a camera."""
    if isinstance(source, int):
        return None
    try:
        with _opened(source) as video:
            return _told(video)
    except Unreadable:
        return None


@contextmanager
def _opened(source: int | str) -> Iterator[cv2.VideoCapture]:
    video = cv2.VideoCapture(source)
    try:
        if not video.isOpened():
            raise Unreadable(
                "it is no video that OpenCV can read"
                if isinstance(source, str)
                else "there is no such camera, or another program has it"
            )
        yield video
    finally:
        video.release()


def _told(video: cv2.VideoCapture) -> int | None:
    count = video.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(count) if 0 < count < _MOST_FRAMES else None


def _is_cut(number: int, told: int) -> bool:
    missing = told - number
    return missing > _MISSING and missing > _MISSING_SHARE * told
