"""The pictures of a report."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.drawn_errors import CAT, NAMES, every_kind, picture

from mmfastervit.run_reports.maps import compare
from mmfastervit.run_reports.matching import Kind, sort_errors
from mmfastervit.run_reports.painting import KIND_COLOURS, paint_boxes, paint_maps


def colours_in(image: Image.Image) -> set[tuple[int, int, int]]:
    return {colour for _, colour in image.getcolors(1 << 24)}


def of(kind: Kind) -> tuple[int, int, int]:
    return tuple(bytes.fromhex(KIND_COLOURS[kind][1:]))


@pytest.fixture
def grey(tmp_path: Path) -> str:
    path = tmp_path / "grey.png"
    Image.new("RGB", (620, 620), (90, 90, 90)).save(path)
    return str(path)


def test_each_box_has_the_colour_of_its_kind(grey):
    labelled, predicted = map(colours_in, paint_boxes(sort_errors(every_kind(grey)), NAMES))
    on_labels = {Kind.FOUND, Kind.CLASS, Kind.PLACE, Kind.MISSED}
    on_predictions = set(Kind) - {Kind.MISSED, Kind.IGNORED}
    for kind in Kind:
        assert (of(kind) in labelled) == (kind in on_labels)
        assert (of(kind) in predicted) == (kind in on_predictions)


def test_boxes_that_leave_the_picture_are_drawn_without_an_error(grey):
    found = [((-1e9, -50, 1e9, 5000), CAT, 0.9), ((30, 30, 10, 10), CAT, 0.8)]
    for image in paint_boxes(sort_errors(picture((), found, path=grey)), NAMES):
        assert image.size == (620, 620)


def test_small_pictures_are_enlarged_and_large_ones_shrunk(tmp_path: Path):
    for size, shown in (((31, 62), (310, 620)), ((2480, 1240), (620, 310))):
        path = tmp_path / "one.png"
        Image.new("RGB", size).save(path)
        assert paint_boxes(sort_errors(picture(path=str(path))), NAMES)[0].size == shown


def test_grey_pictures_of_16_bits_are_shown(tmp_path: Path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((20, 30), 40_000, dtype=np.uint16)).save(path)
    assert paint_boxes(sort_errors(picture(path=str(path))), NAMES)[0].mode == "RGB"


def test_a_file_that_is_no_picture_is_said(tmp_path: Path):
    path = tmp_path / "text.png"
    path.write_text("no picture")
    for name in (path, tmp_path / "none.png"):
        with pytest.raises(OSError, match="can't be opened"):
            paint_boxes(sort_errors(picture(path=str(name))), NAMES)


def test_maps_show_labels_prediction_and_what_is_wrong(tmp_path: Path):
    path = tmp_path / "white.png"
    Image.new("RGB", (40, 20), (255, 255, 255)).save(path)
    truth = np.repeat([[0, 255]], 20, axis=0).repeat(20, axis=1).astype(np.uint8)
    predicted = np.ones((20, 40), dtype=int)
    palette = [(255, 0, 0), (0, 0, 255)]
    labelled, said, wrong = paint_maps(compare(str(path), truth, predicted, 2), palette)
    left, right = (5, 5), (labelled.width - 5, 5)
    assert labelled.getpixel(left) == (255, 114, 114)
    assert labelled.getpixel(right) == (114, 114, 114)  # what the labels leave out
    assert said.getpixel(left) == said.getpixel(right) == (114, 114, 255)
    assert wrong.getpixel(left)[0] > wrong.getpixel(left)[2] + 80
    assert len(set(wrong.getpixel(right))) == 1  # grey: it counts not
