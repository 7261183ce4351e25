"""A run keeps its order, goes on past faults, and holds few pictures at once."""

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.opened import CLASSES, opened, picture

from mmfastervit.inference import Predictor
from mmfastervit.inference.inputs import Item, find_inputs, items
from mmfastervit.inference.outputs import Outputs
from mmfastervit.inference.running import run
from mmfastervit.palettes import palette_for


@pytest.fixture
def model() -> Predictor:
    return Predictor(opened("det"), score_thr=0.0)


def numbered(count: int) -> list[Item]:
    return [Item(f"{i:03d}", f"{i:03d}.png", picture((64, 48), i)) for i in range(count)]


def test_everything_is_written_in_its_order(model):
    written = []
    tally = run(model, numbered(12), lambda item, image, found: written.append(item.stem))
    assert written == [f"{i:03d}" for i in range(12)]
    assert (tally.done, tally.failed, tally.interrupted) == (12, [], False)


def test_the_rest_goes_on_where_a_picture_is_broken(model, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"none")
    source = numbered(3)
    source.insert(1, Item("broken", "broken.jpg", tmp_path / "broken.jpg"))
    source.insert(0, Item("clip", "clip.mp4", None, fault="it is no video"))
    written, steps = [], []
    tally = run(model, source, lambda item, *_: written.append(item.stem), lambda: steps.append(1))
    assert written == ["000", "001", "002"]
    assert [name for name, _ in tally.failed] == ["clip.mp4", "broken.jpg"]
    assert len(steps) == 5


def test_few_pictures_are_in_memory_at_once(model):
    """The reader waits for the model, and the model for the writer."""
    alive, most, lock = set(), [0], threading.Lock()

    def source():
        for item in numbered(40):
            with lock:
                alive.add(item.stem)
                most[0] = max(most[0], len(alive))
            yield item

    def write(item, *_) -> None:
        time.sleep(0.01)
        with lock:
            alive.discard(item.stem)

    run(model, source(), write)
    assert most[0] <= 16


def test_what_the_writer_raises_ends_the_run(model):
    def write(*_) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        run(model, numbered(30), write)


def test_what_the_model_raises_ends_the_run(model):
    def fail(data):
        raise RuntimeError("a defect")

    model.opened.model.test_step = fail
    with pytest.raises(RuntimeError, match="a defect"):
        run(model, numbered(3), lambda *_: None)


def test_an_interruption_keeps_what_was_predicted(model):
    step, calls = model.opened.model.test_step, []

    def interrupted(data):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return step(data)

    model.opened.model.test_step = interrupted
    written = []
    tally = run(model, numbered(10), lambda item, *_: written.append(item.stem))
    assert tally.interrupted
    assert written == ["000", "001", "002"]


def outputs(folder: Path, task: str = "det", **options) -> Outputs:
    names = CLASSES[task]
    return Outputs(folder, names, palette_for(names), task, **options)


def test_the_coco_file_is_whole_and_reads_as_one(model, tmp_path):
    from pycocotools.coco import COCO

    with outputs(tmp_path / "out") as written:
        run(model, numbered(5), written.write)
    path = tmp_path / "out/predictions.json"
    content = json.loads(path.read_text())
    assert [image["file_name"] for image in content["images"]] == [f"{i:03d}" for i in range(5)]
    assert {one["name"] for one in content["categories"]} == set(CLASSES["det"])
    assert all({"score", "bbox", "category_id"} <= set(one) for one in content["annotations"])
    coco = COCO(path)
    assert len(coco.getImgIds()) == 5
    results = coco.loadRes(content["annotations"])
    assert len(results.getAnnIds()) == len(content["annotations"]) > 0
    assert {one.name for one in (tmp_path / "out").iterdir()} == {"pictures", "predictions.json"}


def test_without_a_picture_the_coco_file_is_whole_too(tmp_path):
    with outputs(tmp_path):
        pass
    content = json.loads((tmp_path / "predictions.json").read_text())
    assert (content["images"], content["annotations"]) == ([], [])


def test_what_was_predicted_before_a_failure_is_kept(model, tmp_path):
    def source():
        yield from numbered(3)
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"), outputs(tmp_path) as written:
        run(model, source(), written.write)
    assert len(json.loads((tmp_path / "predictions.json").read_text())["images"]) == 3


def test_pictures_of_equal_names_do_not_replace_each_other(model, tmp_path):
    for name in ("a/x.png", "b/x.png"):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(picture()).save(tmp_path / name)
    found = items(find_inputs([str(tmp_path / "a"), str(tmp_path / "b")], None).entries)
    with outputs(tmp_path / "out") as written:
        run(model, found, written.write)
    assert (tmp_path / "out/pictures/a/x.jpg").is_file()
    assert (tmp_path / "out/pictures/b/x.jpg").is_file()


def test_label_maps_hold_the_labels(tmp_path):
    model = Predictor(opened("seg"))
    seen = {}

    with outputs(tmp_path, "seg", pictures=False) as written:

        def write(item, image, found) -> None:
            seen[item.stem] = found.labels
            written.write(item, image, found)

        run(model, numbered(2), write)
    for stem, labels in seen.items():
        with Image.open(tmp_path / f"labels/{stem}.png") as saved:
            assert saved.mode == "P"  # colours for viewers; the values are the labels
            assert np.array_equal(np.asarray(saved), labels)
    assert not (tmp_path / "pictures").exists()


def test_a_video_becomes_a_video(model, tmp_path):
    import cv2

    frames = [Item("clip", f"clip.mp4, frame {i}", picture((64, 48), i), i, 10.0) for i in range(4)]
    with outputs(tmp_path) as written:
        run(model, [*frames, *numbered(1)], written.write)
    video = cv2.VideoCapture(str(tmp_path / "pictures/clip.mp4"))
    assert (video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)) == (4, 10)
    video.release()
    images = json.loads((tmp_path / "predictions.json").read_text())["images"]
    assert [image.get("frame") for image in images] == [0, 1, 2, 3, None]
    assert images[0]["file_name"] == "clip.mp4"
