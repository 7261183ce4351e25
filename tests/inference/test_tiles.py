"""Large pictures in tiles: every object once, in the pixels of the whole."""

import numpy as np
import pytest
from PIL import Image
from support.opened import opened, picture

from mmfastervit.inference import Detections, Predictor, Unreadable
from mmfastervit.inference.tiles import Tiles, detect_in_tiles
from mmfastervit.palettes import palette_for

CLASSES = ("light", "dark")


@pytest.fixture(autouse=True)
def _library():
    pytest.importorskip("sahi", reason="the extra infer is not installed")


def find_patches(images, masks: bool = True) -> list[Detections]:
    """Stand in for a detector: the boxes of light (255) and dark (100) patches in an image."""
    return [_patches(image[:, :, 0], masks) for image in images]


def _patches(grey: np.ndarray, masks: bool) -> Detections:
    from scipy.ndimage import find_objects, label

    boxes, labels, found = [], [], []
    for kind, value in enumerate((255, 100)):
        numbered, _ = label(grey == value)
        for number, (rows, columns) in enumerate(find_objects(numbered), start=1):
            boxes.append([columns.start, rows.start, columns.stop, rows.stop])
            labels.append(kind)
            found.append(numbered == number)
    return Detections(
        np.array(boxes, dtype=np.float32).reshape(-1, 4),
        np.linspace(0.9, 0.6, len(boxes), dtype=np.float32),
        np.array(labels, dtype=np.int64),
        CLASSES,
        palette_for(CLASSES),
        np.array(found, dtype=bool).reshape(-1, *grey.shape) if masks else None,
    )


def scene(size=(300, 200)) -> tuple[np.ndarray, list[list[int]]]:
    """A picture with patches, some of them across the edges of tiles, one larger than a tile."""
    width, height = size
    image = np.zeros((height, width, 3), dtype=np.uint8)
    boxes = [[10, 10, 30, 30], [90, 20, 120, 40], [60, 90, 85, 110], [130, 60, 290, 180]]
    for number, (left, top, right, bottom) in enumerate(boxes):
        image[top:bottom, left:right] = 255 if number % 2 == 0 else 100
    return image, boxes


@pytest.mark.parametrize("overlap", [0.2, 0.5])
def test_every_object_is_found_once(overlap):
    image, boxes = scene()
    found = detect_in_tiles(image, Tiles(100, 100, overlap), find_patches)
    assert sorted(found.boxes.astype(int).tolist()) == sorted(boxes)
    assert (np.diff(found.scores) <= 0).all()


def test_masks_are_those_of_the_whole_with_their_holes():
    image, _ = scene()
    image[100:140, 180:220] = 0  # a hole in the largest patch, across tiles
    found = detect_in_tiles(image, Tiles(100, 100, 0.2), find_patches)
    for label, value in enumerate((255, 100)):
        together = found.masks[found.labels == label].any(axis=0)
        assert np.array_equal(together, image[:, :, 0] == value)


def test_without_masks_there_are_none():
    image, boxes = scene()
    found = detect_in_tiles(image, Tiles(100, 100), lambda i: find_patches(i, masks=False))
    assert found.masks is None
    assert len(found) == len(boxes)


def test_neighbours_of_other_classes_stay_apart():
    image = np.zeros((100, 300, 3), dtype=np.uint8)
    image[20:60, 90:110], image[20:60, 110:130] = 255, 100
    found = detect_in_tiles(image, Tiles(100, 100), find_patches)
    assert sorted(found.labels.tolist()) == [0, 1]


@pytest.mark.parametrize("size", [(300, 200), (64, 64), (33, 400), (100, 100), (101, 99)])
def test_tiles_cover_the_whole_picture(size):
    width, height = size
    seen = np.zeros((height, width), dtype=bool)
    for left, top, right, bottom in Tiles(100, 64, 0.25).boxes(height, width):
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        seen[top:bottom, left:right] = True
    assert seen.all()


def test_a_picture_without_objects_has_none():
    found = detect_in_tiles(np.zeros((200, 300, 3), np.uint8), Tiles(100, 100), find_patches)
    assert found.boxes.shape == (0, 4)
    assert found.masks.shape == (0, 200, 300)


def test_masks_that_would_not_fit_in_memory_are_told(monkeypatch):
    monkeypatch.setattr("mmfastervit.inference.tiles._LARGEST_MASKS", 1000)
    with pytest.raises(Unreadable, match="4 masks of 300x200"):
        detect_in_tiles(scene()[0], Tiles(100, 100), find_patches)


@pytest.mark.parametrize(
    ("sides", "message"),
    [((10, 640, 0.2), "32x32"), ((64, 64, 1.0), "from 0 to 0.9"), ((64, 64, -0.1), "from 0")],
)
def test_tiles_out_of_their_range_are_refused(sides, message):
    with pytest.raises(ValueError, match=message):
        Tiles(*sides)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_detector_predicts_in_tiles(batch_size):
    image = picture((150, 110))
    model = Predictor(opened("mask"), 0.0, batch_size, tiles=Tiles(64, 64))
    found = model.predict(image)
    assert len(found) > 0
    assert found.masks.shape == (len(found), 110, 150)
    assert (found.boxes.max(axis=0) <= [150, 110, 150, 110]).all()


def test_pillows_limit_stays_on():
    before = Image.MAX_IMAGE_PIXELS
    Predictor(opened("det"), 0.0, tiles=Tiles(64, 64)).predict(picture((150, 110)))
    assert Image.MAX_IMAGE_PIXELS == before is not None


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("mmfastervit.inference.tiles.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"SAHI: pip install 'mmfastervit\[infer\]'"):
        Predictor(opened("det"), tiles=Tiles(64, 64))
