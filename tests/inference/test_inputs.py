"""What users name as input, and where what is written of it goes."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmfastervit.inference.inputs import count, find_inputs, items
from mmfastervit.inference.pictures import SUFFIXES

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


def faults(*words, stdin=NOTHING) -> dict[str, str]:
    return {item.told: item.fault for item in items(find_inputs(words, stdin).entries)}


def left_out(*words, **options) -> str:
    return find_inputs(words, NOTHING, **options).left_out


def stems(*words, stdin=NOTHING) -> list[str]:
    return [entry.stem for entry in find_inputs(words, stdin).entries]


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


def test_what_editors_on_windows_write_is_a_list(folder):
    """A byte-order mark first, and lines that end in a carriage return and a new line."""
    content = "a/one.jpg\r\n\r\na/two.png \r\n".encode("utf-8-sig")
    (folder / "list.txt").write_bytes(content)
    assert stems("list.txt") == ["one", "two"]
    assert stems("@list.txt", "clip.avi") == ["one", "two", "clip"]
    assert stems("-", stdin=io.BytesIO(content)) == ["one", "two"]


@pytest.mark.parametrize("words", [["list.txt"], ["@list.txt"], ["-"], ["list.txt", "clip.avi"]])
def test_what_a_list_names_and_is_not_there_is_a_fault_and_the_rest_goes_on(words, folder):
    content = "a/one.jpg\nb/two.jpg\n" + "x" * 5000 + "\na\0b\nb/one.jpg\n"
    (folder / "list.txt").write_text(content)
    found = faults(*words, stdin=io.BytesIO(content.encode()))
    assert not found["a/one.jpg"]
    assert not found["b/one.jpg"]
    assert "no such file or folder (line 2 of" in found["b/two.jpg"]
    assert str(folder) in found["b/two.jpg"]  # where paths of lists begin
    assert sum(map(bool, found.values())) == 3


def test_what_is_not_there_lengthens_no_name(folder):
    (folder / "list.txt").write_text("a/two.png\nb/two.png\n")
    assert stems("list.txt") == ["two", "two"]


def test_a_list_may_hold_folders(folder):
    (folder / "empty").mkdir()
    (folder / "list.txt").write_text("a\nempty\nb/one.jpg\nclip.avi\n")
    assert stems("list.txt")[:3] == ["a/deep/one", "a/one", "a/two"]
    found = faults("list.txt")
    assert "no pictures in empty" in found["empty"]
    assert not found["clip.avi, frame 0"]


def test_labels_beside_pictures_are_left_out_and_told(folder):
    """As a shell hands on ``a/*``."""
    (folder / "a/one.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (folder / "a/two.txt").write_text("")
    (folder / "a/classes.txt").write_text("b\n")  # a class that is called as a folder is
    (folder / "a/latin.txt").write_bytes("zähne".encode("latin-1"))
    words = ["a/classes.txt", "a/latin.txt", "a/one.jpg", "a/one.txt", "a/two.png", "a/two.txt"]
    assert stems(*words) == ["one", "two"]
    assert left_out(*words).startswith("4 .txt (not lists of files that are there; @FILE")


def test_a_list_beside_other_inputs_is_one(folder):
    (folder / "list.txt").write_text("no.jpg\nb/one.jpg\n")
    assert stems("list.txt", "clip.avi") == ["no", "one", "clip"]
    assert left_out("list.txt", "clip.avi") == ""


def test_a_file_of_labels_alone_is_read_as_the_list_that_was_asked_for(folder):
    (folder / "one.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(FileNotFoundError, match=r"0 0.5 0.5 0.2 0.2: there is no such file"):
        find_inputs(["one.txt"], NOTHING)
    assert faults("@one.txt", "clip.avi")["0 0.5 0.5 0.2 0.2"]


def test_labels_without_a_picture_are_nothing_to_predict_on(folder):
    for name in ("one.txt", "two.txt"):
        (folder / name).write_text("0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(FileNotFoundError, match=r"nothing to predict on; left out: 2 \.txt"):
        find_inputs(["one.txt", "two.txt"], NOTHING)


def test_what_a_folder_holds_beside_pictures_is_told(folder):
    for name in ("x.heic", "deep/y.HEIC", "x.jxl", "README"):
        (folder / "a" / name).write_bytes(b"")
    video(folder / "a/clip.avi")
    assert stems("a") == ["deep/one", "one", "two"]
    assert left_out("a") == (
        "1 .avi (name videos themselves); 2 .heic, 1 .jxl, 1 .md, 1 without a suffix "
        "(not pictures that can be read)"
    )
    assert left_out("a/*").startswith("1 .heic, 1 .jxl, 1 .md")
    assert ".avi" not in left_out("a", "a/clip.avi")  # it is named itself
    assert left_out("b") == ""


def test_many_kinds_are_one_short_line(folder):
    for number in range(30):
        (folder / f"b/{number}.x{number}").write_bytes(b"")
    assert left_out("b").count(",") == 5
    assert "25 of other kinds" in left_out("b")


def test_the_page_lists_what_is_taken_from_folders():
    page = (Path(__file__).parents[2] / "docs/inference.md").read_text(encoding="utf-8")
    assert [suffix for suffix in SUFFIXES if f"`{suffix}`" not in page] == []


def test_a_folder_without_pictures_says_what_it_holds(folder):
    (folder / "phone").mkdir()
    (folder / "phone/x.heic").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"no pictures in phone.*it holds 1 \.heic"):
        find_inputs(["phone"], NOTHING)
    with pytest.raises(FileNotFoundError, match=r"matches phone/\*, but 1 \.heic"):
        find_inputs(["phone/*"], NOTHING)


def test_what_lies_in_a_hidden_folder_is_hidden(folder):
    for name in (".thumbs/t.jpg", "deep/.cache/more/t.jpg", ".thumbs/t.heic"):
        path = folder / "a" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((folder / "a/one.jpg").read_bytes())
    assert stems("a") == ["deep/one", "one", "two"]
    assert "heic" not in left_out("a")


def test_a_hidden_folder_that_is_named_is_taken(folder):
    (folder / "a").rename(folder / ".a")
    assert stems(".a") == ["deep/one", "one", "two"]


def test_results_are_no_inputs(folder):
    """Whatever names them: the folder around them, a pattern, or a shell."""
    (folder / "a/out/pictures").mkdir(parents=True)
    (folder / "a/out/pictures/one.jpg").write_bytes((folder / "a/one.jpg").read_bytes())
    video(folder / "a/out/pictures/clip.avi")
    results = {"results": [folder / "a/out/pictures"]}
    for words in (["a"], ["a/**/*.jpg", "a/two.png"], ["a", "a/out/pictures/one.jpg"]):
        found = find_inputs(words, NOTHING, **results)
        assert [entry.stem for entry in found.entries] == ["deep/one", "one", "two"]
        assert "1 .jpg (lying where results are written)" in found.left_out.replace("1 .avi, ", "")
    with pytest.raises(FileNotFoundError, match=r"nothing to predict on; left out: 1 \.avi, 1 \.j"):
        find_inputs(["a/out/pictures"], NOTHING, **results)


def test_a_list_that_is_piped_in(folder):
    assert stems("-", stdin=io.BytesIO(b"a/one.jpg\nb/one.jpg\n")) == ["a/one", "b/one"]


def test_a_picture_that_is_piped_in(folder):
    content = (folder / "a/one.jpg").read_bytes()
    (entry,) = find_inputs(["-"], io.BytesIO(content)).entries
    assert (entry.stem, entry.source) == ("stdin", content)
    (item,) = items([entry])
    assert item.told == "standard input"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("no.jpg", "there is no picture, video, folder or list no.jpg"),
        ("*.gif", "matches"),
        ("@no.txt", "can't be read as a list"),
        ("wrong.txt", r"x\.jpg: there is no such file or folder .*and 1 more"),
        ("empty.txt", "empty list"),
        ("empty", "no pictures in empty"),
        ("camera:front", "camera:0"),
        ("-", "nothing came"),
    ],
)
def test_what_is_not_there_is_told(word, message, folder):
    (folder / "wrong.txt").write_text("x.jpg\ny.jpg\nz.jpg\nlast.jpg\n")
    (folder / "empty.txt").write_text("\n")
    (folder / "empty").mkdir()
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        find_inputs([word], NOTHING)


def test_bytes_that_are_neither_picture_nor_list_are_told(folder):
    with pytest.raises(ValueError, match="neither a picture nor a list"):
        find_inputs(["-"], io.BytesIO(b"\xff\xfe\x00\x9f"))


def test_a_video_gives_its_frames_in_their_order(folder):
    entries = find_inputs(["clip.avi", "a/one.jpg"], NOTHING).entries
    found = list(items(entries))
    assert [item.frame for item in found] == [0, 1, 2, None]
    assert [item.rate for item in found[:3]] == [10.0] * 3
    assert [round(item.picture.mean() / 50) for item in found[:3]] == [0, 1, 2]
    assert found[0].told == "clip.avi, frame 0"


def test_what_only_looks_like_a_video_is_a_fault_of_its_own(folder):
    (folder / "broken.mp4").write_bytes(b"none")
    found = list(items(find_inputs(["broken.mp4", "a/one.jpg"], NOTHING).entries))
    assert "no video" in found[0].fault
    assert not found[1].fault


def test_pictures_and_frames_are_counted(folder):
    assert count(find_inputs(["a"], NOTHING).entries) == 3
    assert count(find_inputs(["a", "clip.avi"], NOTHING).entries) == 6


def test_a_camera_and_what_is_no_video_tell_no_number(folder):
    (folder / "broken.mp4").write_bytes(b"none")
    assert count(find_inputs(["a", "camera:0"], NOTHING).entries) is None
    assert count(find_inputs(["a", "broken.mp4"], NOTHING).entries) is None


def test_what_is_not_there_is_counted_once(folder):
    (folder / "list.txt").write_text("a/one.jpg\nno.mp4\n")
    assert count(find_inputs(["list.txt"], NOTHING).entries) == 2
