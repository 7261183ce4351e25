"""What a model answers to a page."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.heads import head_of_png
from support.opened import opened, picture

from mmfastervit.app.answering import ModelAnswers


@pytest.fixture
def path(tmp_path) -> str:
    file = tmp_path / "a.png"
    Image.fromarray(picture((80, 64))).save(file)
    return str(file)


def test_objects_are_counted_from_the_slider_on(path):
    answers = ModelAnswers(opened("det"))
    seen = answers.predict(path)
    scores = np.sort(seen.prediction.scores)
    middle = float(scores[len(scores) // 2])
    for lowest in (0.0, middle, 1.0):
        drawn, rows = answers.draw(seen, lowest)
        assert sum(count for _, count in rows) == (scores >= lowest).sum()
        assert drawn.width % 80 == 0


def test_classes_of_a_map_take_their_shares(path):
    answers = ModelAnswers(opened("seg"))
    _, rows = answers.draw(answers.predict(path), 0.5)
    assert sum(float(share.rstrip("%")) for _, share in rows) == pytest.approx(100, abs=0.5)


@pytest.fixture
def asked(monkeypatch) -> list[tuple[int, int]]:
    """The points that a sheet was asked for; none is drawn."""
    points = []
    monkeypatch.setattr(
        "mmfastervit.app.answering.measure", lambda _, image, point: points.append(point)
    )
    monkeypatch.setattr("mmfastervit.app.answering.draw_sheet", lambda _: FakeFigure())
    return points


def test_a_click_is_told_in_pixels_of_the_picture_and_the_legend_is_none(path, asked):
    answers = ModelAnswers(opened("seg"))
    seen = answers.predict(path)
    drawn, _ = answers.draw(seen, 0.5)
    times = drawn.width // 80
    assert times > 1
    answers.sheet(seen, 79 * times, 63 * times)
    assert asked == [(79, 63)]
    with pytest.raises(ValueError, match="legend"):
        answers.sheet(seen, 5, 64 * times)


def test_a_click_on_a_narrow_picture_is_where_it_was_made(tmp_path, asked):
    path = tmp_path / "narrow.png"
    Image.fromarray(picture((80, 1000))).save(path)
    answers = ModelAnswers(opened("seg"))
    seen = answers.predict(str(path))
    drawn, _ = answers.draw(seen, 0.5)
    assert drawn.width > 2 * 80  # as wide as its legend, and not enlarged
    answers.sheet(seen, 79, 999)
    assert asked == [(79, 999)]
    for x, y in ((80, 500), (-1, 500), (5, -1)):
        with pytest.raises(ValueError, match="beside the picture"):
            answers.sheet(seen, x, y)
    with pytest.raises(ValueError, match="legend"):
        answers.sheet(seen, 5, 1000)


class FakeFigure:
    def savefig(self, file, **_):
        Image.new("RGB", (4, 4)).save(file, "PNG")


def test_a_sheet_is_a_picture(path):
    answers = ModelAnswers(opened("seg"))
    if answers.why_no_sheet is None:
        assert answers.sheet(answers.predict(path), 3, 3).width > 500
    else:
        assert "hierarchical attention" in answers.why_no_sheet


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    broken = Path(tmp_path, "broken.png")
    broken.write_bytes(b"no picture")
    with pytest.raises(ValueError, match="no picture"):
        ModelAnswers(opened("det")).predict(str(broken))


@pytest.mark.parametrize(
    ("size", "said", "instead"),
    [
        ((8000, 6000), "8000 x 6000 pixels, 48.0 megapixels", "mmfastervit infer --tile"),
        ((60000, 60000), "more than 179 megapixels", "cut it into parts"),
    ],
)
def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded(size, said, instead, tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(head_of_png(*size))
    with pytest.raises(ValueError, match="this page takes 40: make it smaller") as told:
        ModelAnswers(opened("det")).predict(str(path))
    assert said in str(told.value)
    assert instead in str(told.value)


def test_arrays_are_bounded_too_and_the_bound_itself_is_taken(path, tmp_path, monkeypatch):
    answers = ModelAnswers(opened("det"))
    monkeypatch.setattr("mmfastervit.app.answering.MOST_PIXELS", 80 * 64)
    assert answers.predict(path).image.shape == (64, 80, 3)
    array = tmp_path / "a.npy"
    np.save(array, picture((81, 64)))
    with pytest.raises(ValueError, match="81 x 64 pixels"):
        answers.predict(str(array))
