"""A visit without a browser: what is answered over HTTP, and what of it stays in memory."""

import time
from importlib.util import find_spec

import pytest
from PIL import Image
from support.heads import head_of_png
from support.opened import opened, picture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not installed"),
]


@pytest.fixture
def page(monkeypatch):
    """A page of a little detector with masks, served; it forgets after three seconds."""
    from mmfastervit.app import building
    from mmfastervit.app.answering import ModelAnswers
    from mmfastervit.app.serving import serve

    monkeypatch.setattr(building, "KEPT", 3)
    built = building.build_page(ModelAnswers(opened("mask")), 0.3)
    serve(built, None, max_upload=1)
    yield built
    built.close()


@pytest.fixture
def visit(page):
    """Drop a file, as a visitor does; the answer is the picture's file and the rows of classes."""
    from gradio_client import Client, handle_file

    client = Client(page.local_url, verbose=False, analytics_enabled=False)

    def drop(path) -> tuple[str, list]:
        drawn, rows, _ = client.predict(handle_file(str(path)), 0.05, api_name="/take")
        return drawn, rows["data"]

    return drop


def kept_by(page) -> list:
    """What is kept of all visitors."""
    sessions = page.state_holder.session_data.values()
    return [value for session in sessions for value in session.state_data.values() if value]


def test_a_visitors_masks_are_kept_packed_and_then_forgotten(page, visit, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(picture((320, 256))).save(path)
    drawn, rows = visit(path)
    with Image.open(drawn) as result:
        assert result.width >= 640
    (seen,) = kept_by(page)
    assert seen.prediction.masks is None
    assert len(seen.masks) == sum(count for _, count in rows) > 0
    end = time.monotonic() + 30
    while kept_by(page) and time.monotonic() < end:
        time.sleep(0.2)
    assert kept_by(page) == []


def test_a_picture_of_too_many_pixels_is_told_by_its_name_and_nothing_is_kept(
    page, visit, tmp_path
):
    large = tmp_path / "large.png"
    large.write_bytes(head_of_png(8000, 6000))
    with pytest.raises(Exception, match=r"large\.png: it has 8000 x 6000 pixels, 48\.0") as told:
        visit(large)
    assert "/" not in str(told.value)
    assert kept_by(page) == []
