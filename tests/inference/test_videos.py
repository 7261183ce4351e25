"""A video that ends too early is a fault; one whose number of frames is an estimate is none."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmfastervit.inference.inputs import count, find_inputs, items

FRAMES = 60


def video(path: Path, code: str) -> Path:
    """A video of noise, so that all frames take about as many bytes."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 10, (64, 48))
    assert writer.isOpened()
    generator = np.random.default_rng(0)
    for _ in range(FRAMES):
        writer.write(generator.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(("name", "code"), [("clip.avi", "MJPG"), ("clip.mkv", "mp4v")])
def test_a_video_that_is_cut_off_is_a_fault_behind_its_frames(name, code, tmp_path):
    path = video(tmp_path / name, code)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    entries = find_inputs([str(path)], None).entries
    *read, last = items(entries)
    assert 10 < len(read) < FRAMES / 2 + 1
    assert not any(item.fault for item in read)
    assert (last.told, last.frame) == (str(path), None)
    assert f"it ends after {len(read)} of the {FRAMES} frames" in last.fault
    assert count(entries) == FRAMES


@pytest.mark.parametrize(("name", "code"), [("clip.avi", "MJPG"), ("clip.mp4", "mp4v")])
def test_a_whole_video_has_no_fault(name, code, tmp_path):
    entries = find_inputs([str(video(tmp_path / name, code))], None).entries
    found = list(items(entries))
    assert len(found) == count(entries) == FRAMES
    assert not any(item.fault for item in found)


class Capture:
    """A video that tells of other numbers of frames than come."""

    def __init__(self, told: float, come: int):
        self.told, self.left = told, come

    def isOpened(self) -> bool:  # as OpenCV calls it
        return True

    def get(self, name: int) -> float:
        return self.told if name == cv2.CAP_PROP_FRAME_COUNT else 25.0

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return (True, np.zeros((2, 2, 3), np.uint8)) if self.left >= 0 else (False, None)

    def release(self) -> None:
        pass


@pytest.mark.parametrize(
    ("told", "come", "is_cut"),
    [
        (100, 97, True),
        (100, 98, False),  # two frames
        (1000, 981, False),  # less than 2%
        (1000, 979, True),
        (4, 1, True),
        (3, 1, False),
        (10, 30, False),  # more than it tells of
        (0, 5, False),
        (-9.2e15, 5, False),  # as OpenCV tells that a container does not say
        (9.2e15, 5, False),
    ],
)
def test_a_few_frames_fewer_are_none(told, come, is_cut, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: Capture(told, come))
    (tmp_path / "clip.mp4").write_bytes(b"")
    found = list(items(find_inputs([str(tmp_path / "clip.mp4")], None).entries))
    assert len(found) == come + is_cut
    assert bool(found[-1].fault) == is_cut


def test_a_camera_that_ends_is_no_fault(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: Capture(100, 3))
    found = list(items(find_inputs(["camera:0"], None).entries))
    assert [item.told for item in found] == [f"camera:0, frame {number}" for number in range(3)]
    assert not any(item.fault for item in found)
