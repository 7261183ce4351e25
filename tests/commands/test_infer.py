"""``mmfastervit infer`` and ``publish``: files in, files out, one line for what is wrong."""

import io
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from support.opened import CLASSES, KINDS, checkpoint_of, config_of, picture

from mmfastervit.commands import main


def status_of(*words) -> int:
    with pytest.raises(SystemExit) as ended:
        main(argv=[str(word) for word in words])
    return ended.value.code


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Two pictures, and configs of all kinds."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("photos/a.png", "photos/more/b.jpg")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(seed=number)).save(tmp_path / name)
    for kind in KINDS:
        config_of(kind).dump(tmp_path / f"{kind}.json")
    return tmp_path


def infer(kind: str, *words, out: str = "out") -> int:
    model = ["--config", f"{kind}.json", "--checkpoint", checkpoint_of(kind)]
    return status_of("infer", *words, *model, "--out", out, "--device", "cpu")


@pytest.mark.parametrize("kind", ["det", "mask"])
def test_objects_become_a_coco_file_and_pictures(kind, folder, capsys):
    assert infer(kind, "photos", "--score-thr", "0") == 0
    content = json.loads((folder / "out/predictions.json").read_text())
    names = [image["file_name"] for image in content["images"]]
    assert names == ["photos/a.png", "photos/more/b.jpg"]
    assert [c["name"] for c in content["categories"]] == list(CLASSES[kind])
    assert ("segmentation" in content["annotations"][0]) == (kind == "mask")
    for name in ("a.jpg", "more/b.jpg"):
        with Image.open(folder / "out/pictures" / name) as drawn:
            assert drawn.width >= 80
    count = len(content["annotations"])
    assert f"out: 2 pictures, {count} objects in" in capsys.readouterr().out


def test_a_runs_folder_is_taken_for_its_checkpoint(folder, capsys):
    run = folder / "work_dirs/det"
    run.mkdir(parents=True)
    (run / "epoch_7.pth").hardlink_to(checkpoint_of("det"))
    (run / "last_checkpoint").write_text("epoch_7.pth")
    words = ["--config", "det.json", "--checkpoint", "work_dirs/det", "--device", "cpu"]
    assert status_of("infer", "photos", *words, "--out", "out") == 0
    assert "the checkpoint epoch_7.pth is taken" in "".join(capsys.readouterr())


def test_label_maps_become_pictures_of_labels(folder):
    assert infer("seg", "photos", "--deploy", "--batch-size", "2") == 0
    with Image.open(folder / "out/labels/more/b.png") as labels:
        assert labels.size == (80, 64)
        assert set(np.unique(np.asarray(labels))) <= set(range(4))
    assert (folder / "out/pictures/a.jpg").is_file()
    assert not (folder / "out/predictions.json").exists()


def test_a_published_file_needs_no_config(folder, capsys):
    assert status_of("publish", checkpoint_of("det"), "--out", folder, "--name", "shapes") == 0
    (path,) = folder.glob("shapes-*.pth")
    assert str(path) in capsys.readouterr().out
    words = ["photos/a.png", "--checkpoint", path, "--out", "new", "--score-thr", "0"]
    assert status_of("infer", *words, "--device", "cpu") == 0
    assert infer("det", "photos/a.png", "--score-thr", "0", out="old") == 0
    ours, theirs = (folder / f"{out}/predictions.json" for out in ("old", "new"))
    assert ours.read_text() == theirs.read_text()


def test_what_can_not_be_read_is_listed_at_the_end_and_the_rest_is_done(folder, capsys):
    (folder / "photos/broken.jpg").write_bytes(b"none")
    (folder / "photos/empty.png").write_bytes(b"")
    assert infer("det", "photos") == 1
    error = capsys.readouterr().err
    assert "2 could not be predicted on" in error
    assert "photos/broken.jpg: it is no picture" in error
    assert len(json.loads((folder / "out/predictions.json").read_text())["images"]) == 2


def test_what_a_list_names_and_is_not_there_is_listed_at_the_end(folder, capsys):
    (folder / "list.txt").write_text("no.png\nphotos\n")
    assert infer("det", "list.txt") == 1
    said = capsys.readouterr()
    assert "out: 2 pictures" in said.out
    assert "1 could not be predicted on" in said.err
    assert "no.png: there is no such file" in said.err


def test_a_video_that_is_cut_off_is_done_as_far_as_it_goes(folder, capsys):
    writer = cv2.VideoWriter("clip.avi", cv2.VideoWriter.fourcc(*"MJPG"), 10, (80, 64))
    for number in range(12):
        writer.write(picture(seed=number))
    writer.release()
    content = (folder / "clip.avi").read_bytes()
    (folder / "clip.avi").write_bytes(content[: len(content) // 2])
    assert infer("det", "clip.avi", "photos") == 1
    found = re.search(r"clip.avi: it ends after (\d+) of the 12 frames", capsys.readouterr().err)
    images = json.loads((folder / "out/predictions.json").read_text())["images"]
    assert len(images) == int(found[1]) + 2
    assert (folder / "out/pictures/clip.mp4").is_file()


def test_what_is_left_out_is_one_line_at_the_end(folder, capsys):
    for name in ("x.heic", "y.heic", "clip.mp4"):
        (folder / "photos" / name).write_bytes(b"")
    (folder / "photos/a.txt").write_text("0 0.5 0.5 0.2 0.2")
    assert infer("det", "photos/a.png", "photos/a.txt", "photos/more", out="shell") == 0
    (line,) = (one for one in capsys.readouterr().err.splitlines() if one.startswith("left out:"))
    assert line.startswith("left out: 1 .txt (not lists")
    assert infer("det", "photos") == 0
    (line,) = (one for one in capsys.readouterr().err.splitlines() if one.startswith("left out:"))
    assert "1 .mp4 (name videos themselves); 2 .heic, 1 .txt (not pictures" in line


def test_it_does_not_predict_on_what_it_drew(folder, capsys):
    for _ in range(2):
        assert infer("det", "photos", "--force", out="photos/found") == 0
        assert "2 pictures" in capsys.readouterr().out
    names = {path.name for path in (folder / "photos/found/pictures").rglob("*.jpg")}
    assert names == {"a.jpg", "b.jpg"}


def test_results_may_go_beside_the_pictures(folder, capsys):
    for _ in range(2):
        assert infer("seg", "photos", "--force", out="photos") == 0
        assert "2 pictures" in capsys.readouterr().out


def test_pictures_are_not_overwritten_by_what_is_drawn_on_them(folder, capsys):
    (folder / "photos").rename(folder / "pictures")
    before = (folder / "pictures/more/b.jpg").read_bytes()
    assert infer("det", "pictures", "--force", out=".") == 2
    assert "lying where results are written" in capsys.readouterr().err
    assert (folder / "pictures/more/b.jpg").read_bytes() == before


def test_a_score_is_for_detectors(folder, capsys):
    assert infer("seg", "photos", "--score-thr", "0.5") == 2
    assert "--score-thr is for detectors" in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_a_folder_that_holds_files_is_left_alone_unless_forced(folder, capsys):
    (folder / "out").mkdir()
    (folder / "out/mine.txt").write_text("mine")
    assert infer("det", "photos") == 2
    assert "--force" in capsys.readouterr().err
    assert infer("det", "photos", "--force", "--no-pictures") == 0
    assert (folder / "out/mine.txt").read_text() == "mine"
    assert not (folder / "out/pictures").exists()


def test_a_picture_by_a_pipe(folder, monkeypatch):
    class Pipe:
        buffer = io.BytesIO((folder / "photos/a.png").read_bytes())

    monkeypatch.setattr("sys.stdin", Pipe)
    assert infer("det", "-") == 0
    assert (folder / "out/pictures/stdin.jpg").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no.jpg"], "there is no picture, video, folder or list no.jpg"),
        (["photos", "--tile", "640"], "WIDTHxHEIGHT"),
        (["photos", "--tile", "8x8"], "32x32"),
        (["photos", "--tile", "64x64", "--overlap", "2"], "from 0 to 0.9"),
        (["photos", "--overlap", "0.2"], "--overlap is for --tile WIDTHxHEIGHT"),
        (["photos", "--score-thr", "3"], "from 0 to 1"),
        (["photos", "--batch-size", "0"], "at least 1"),
        (["photos", "--classes", "cicle"], "no class 'cicle'"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(words, message, folder, capsys):
    assert infer("det", *words) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_a_device_that_is_not_there_is_told_before_anything_is_read(folder, capsys):
    words = ["photos", "--checkpoint", "no.pth", "--out", "out", "--device", "cuda:77"]
    assert status_of("infer", *words) == 2
    assert "device 'cuda:77' can't be used here" in capsys.readouterr().err


def test_a_checkpoint_of_another_model_is_told(folder, capsys):
    words = ["--config", "seg.json", "--checkpoint", checkpoint_of("det"), "--out", "out"]
    assert status_of("infer", "photos", *words, "--device", "cpu") == 2
    assert "does not fit" in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_a_full_disk_ends_the_run_in_one_line(folder, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mmfastervit.inference.outputs.Image.Image.save", full)
    assert infer("det", "photos") == 1
    assert "No space left" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no.pth"], "no checkpoint file 'no.pth'"),
        (["{det}", "--out", "seg.json"], "is a file"),
        (["{det}", "--name", "a/b"], "without folders"),
        (["{det}", "--config", "seg.json", "--out", "new"], "does not fit"),
        (["{det}", "--cfg-options", "a=1"], "--config"),
    ],
)
def test_publishing_tells_what_is_wrong(words, message, folder, capsys):
    before = set(folder.rglob("*"))
    assert status_of("publish", *(word.format(det=checkpoint_of("det")) for word in words)) == 2
    assert message in capsys.readouterr().err
    assert set(folder.rglob("*")) == before
