"""What a model answers to a page."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
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


def test_a_click_is_told_in_pixels_of_the_picture_and_the_legend_is_none(path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "mmfastervit.app.answering.measure", lambda _, image, point: asked.append(point)
    )
    monkeypatch.setattr("mmfastervit.app.answering.draw_sheet", lambda _: FakeFigure())
    answers = ModelAnswers(opened("seg"))
    seen = answers.predict(path)
    drawn, _ = answers.draw(seen, 0.5)
    times = drawn.width // 80
    assert times > 1
    answers.sheet(seen, 79 * times, 63 * times)
    assert asked == [(79, 63)]
    with pytest.raises(ValueError, match="legend"):
        answers.sheet(seen, 5, 64 * times)


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
