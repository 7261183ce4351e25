"""What users name as input, and where what is written of it goes."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmfastervit.inference.inputs import count, find_inputs, items

NOTHING = io.BytesIO(b"")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Pictures of equal names in two folders, a video, and files that are none."""
    monkeypatch.chdir(tmp_path)
    for name in ("a/one.jpg", "a/two.png", "a/deep/one.jpg", "b/one.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6), (10, 20, 30)).save(path)
    (tmp_path / "a/notes.md").write_text("none")
    (tmp_path / "a/.hidden.jpg").write_text("none")
    video(tmp_path / "clip.avi")
    return tmp_path


def video(path: Path, frames: int = 3) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 16))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.full((16, 32, 3), 50 * number, dtype=np.uint8))
    writer.release()


def stems(*words, stdin=NOTHING) -> list[str]:
    return [entry.stem for entry in find_inputs(words, stdin)]


def test_a_folder_is_taken_at_any_depth(folder):
    assert stems("a") == ["deep/one", "one", "two"]


def test_equal_names_in_different_folders_stay_apart(folder):
    assert stems("a", "b") == ["a/deep/one", "a/one", "a/two", "b/one"]
    assert stems("a/one.jpg", "b/one.jpg") == ["a/one", "b/one"]


def test_equal_names_of_different_kinds_stay_apart(folder):
    (folder / "a/one.png").write_bytes((folder / "a/two.png").read_bytes())
    assert stems("a/one.jpg", "a/one.png", "a/two.png") == ["one.jpg", "one.png", "two"]


def test_names_that_differ_in_capitals_alone_stay_apart(folder):
    (folder / "a/ONE.png").write_bytes((folder / "a/two.png").read_bytes())
    found = stems("a/one.jpg", "a/ONE.png")
    assert len({stem.lower() for stem in found}) == 2


def test_what_is_named_twice_is_taken_once(folder):
    assert stems("a/one.jpg", "a/../a/one.jpg", "a/*.jpg") == ["one"]


def test_a_pattern(folder):
    assert stems("a/*.png") == ["two"]
    assert stems("**/one.jpg") == ["a/deep/one", "a/one", "b/one"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder):
    (folder / "a/[x].png").write_bytes((folder / "a/two.png").read_bytes())
    assert stems("a/[x].png") == ["[x]"]


@pytest.mark.parametrize("word", ["@list.txt", "list.txt"])
def test_a_list(word, folder):
    (folder / "list.txt").write_text("a/one.jpg\n\n  a/two.png  \n")
    assert stems(word) == ["one", "two"]


def test_a_list_that_is_piped_in(folder):
    assert stems("-", stdin=io.BytesIO(b"a/one.jpg\nb/one.jpg\n")) == ["a/one", "b/one"]


def test_a_picture_that_is_piped_in(folder):
    content = (folder / "a/one.jpg").read_bytes()
    (entry,) = find_inputs(["-"], io.BytesIO(content))
    assert (entry.stem, entry.source) == ("stdin", content)
    (item,) = items([entry])
    assert item.told == "standard input"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("no.jpg", "there is no picture, video, folder or list no.jpg"),
        ("*.gif", "matches"),
        ("@no.txt", "can't be read as a list"),
        ("wrong.txt", r"there is no file x\.jpg"),
        ("empty.txt", "empty list"),
        ("empty", "no pictures in empty"),
        ("camera:front", "camera:0"),
        ("-", "nothing came"),
    ],
)
def test_what_is_not_there_is_told(word, message, folder):
    (folder / "wrong.txt").write_text("a/one.jpg\nx.jpg\n")
    (folder / "empty.txt").write_text("\n")
    (folder / "empty").mkdir()
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        find_inputs([word], NOTHING)


def test_bytes_that_are_neither_picture_nor_list_are_told(folder):
    with pytest.raises(ValueError, match="neither a picture nor a list"):
        find_inputs(["-"], io.BytesIO(b"\xff\xfe\x00\x9f"))


def test_a_video_gives_its_frames_in_their_order(folder):
    entries = find_inputs(["clip.avi", "a/one.jpg"], NOTHING)
    assert count(entries) is None
    found = list(items(entries))
    assert [item.frame for item in found] == [0, 1, 2, None]
    assert [item.rate for item in found[:3]] == [10.0] * 3
    assert [round(item.picture.mean() / 50) for item in found[:3]] == [0, 1, 2]
    assert found[0].told == "clip.avi, frame 0"


def test_what_only_looks_like_a_video_is_a_fault_of_its_own(folder):
    (folder / "broken.mp4").write_bytes(b"none")
    found = list(items(find_inputs(["broken.mp4", "a/one.jpg"], NOTHING)))
    assert "no video" in found[0].fault
    assert not found[1].fault


def test_pictures_are_counted(folder):
    assert count(find_inputs(["a"], NOTHING)) == 3
