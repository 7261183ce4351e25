"""Drawn pictures show what was found, at any size, and the legend covers nothing."""

import numpy as np
import pytest

from mmfastervit.inference.drawing import draw
from mmfastervit.inference.results import Detections, Segmentation
from mmfastervit.palettes import palette_for

CLASSES = ("background", "cat", "dog")
PALETTE = palette_for(CLASSES)


def objects(count: int, size: tuple[int, int], masks: bool = False, seed: int = 0) -> Detections:
    rng = np.random.default_rng(seed)
    width, height = size
    corners = rng.uniform(0, 0.7, (count, 2)) * size
    boxes = np.hstack([corners, corners + np.array(size) * 0.25]).astype(np.float32)
    found = np.zeros((count, height, width), dtype=bool)
    for mask, (left, top, right, bottom) in zip(found, boxes.astype(int), strict=True):
        mask[top:bottom, left:right] = True
    scores = np.linspace(0.9, 0.4, count, dtype=np.float32)
    labels = rng.integers(1, 3, count)
    return Detections(boxes, scores, labels, CLASSES, PALETTE, found if masks else None)


@pytest.mark.parametrize("size", [(3, 2), (64, 48), (640, 480), (2000, 1500), (40, 900)])
@pytest.mark.parametrize("masks", [False, True])
def test_pictures_of_any_size_are_drawn_with_a_legend_below(size, masks):
    picture = np.full((size[1], size[0], 3), 128, dtype=np.uint8)
    drawn = draw(picture, objects(5, size, masks))
    times = -(-640 // max(size)) if max(size) < 640 else 1
    times = min(times, 8)
    assert drawn.shape[0] > size[1] * times
    assert drawn.shape[1] >= size[0] * times
    assert (drawn[-1] == 255).all()  # the strip's edge
    assert not np.array_equal(drawn[: size[1] * times, : size[0] * times], 128)


def test_the_picture_is_not_changed_where_nothing_was_found():
    picture = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    drawn = draw(picture, objects(0, (640, 480)))
    assert np.array_equal(drawn[:480], picture)


def test_the_callers_picture_stays_as_it_is():
    picture = np.full((480, 640, 3), 128, dtype=np.uint8)
    draw(picture, objects(5, (640, 480), masks=True))
    assert (picture == 128).all()


def test_each_box_has_its_classes_colour():
    picture = np.full((480, 640, 3), 128, dtype=np.uint8)
    found = objects(1, (640, 480))
    drawn = draw(picture, found)
    left, _, _, bottom = found.boxes[0].round().astype(int)
    assert tuple(drawn[bottom, left + 5]) == PALETTE[found.labels[0]]


def test_a_map_is_tinted_but_for_background_and_what_was_not_asked_for():
    labels = np.zeros((480, 640), dtype=np.uint8)
    labels[:100], labels[100:200] = 1, 255
    picture = np.full((480, 640, 3), 128, dtype=np.uint8)
    drawn = draw(picture, Segmentation(labels, CLASSES, PALETTE))
    assert not np.array_equal(drawn[50, 50], picture[50, 50])
    assert (drawn[100:480] == 128).all()


def test_frames_of_a_video_have_one_size_whatever_is_on_them():
    picture = np.full((480, 640, 3), 128, dtype=np.uint8)
    shapes = {draw(picture, objects(n, (640, 480)), counted=False).shape for n in (0, 1, 30)}
    assert len(shapes) == 1


def test_more_classes_than_a_legend_holds_are_counted():
    names = tuple(f"class {i}" for i in range(60))
    labels = np.repeat(np.arange(60, dtype=np.uint8), 8)[:, None].repeat(640, axis=1)
    picture = np.full((480, 640, 3), 128, dtype=np.uint8)
    drawn = draw(picture, Segmentation(labels, names, palette_for(names)))
    assert drawn.shape[0] < 900
