"""What a page is set to."""

from importlib.util import find_spec

import pytest
from support.opened import opened

pytestmark = pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not installed")


@pytest.fixture
def parts() -> dict:
    """The parts of a detector's page, by their kind."""
    from mmfastervit.app.answering import ModelAnswers
    from mmfastervit.app.building import build_page

    page = build_page(ModelAnswers(opened("det")), 0.3)
    return {type(part).__name__: part for part in page.blocks.values()}


def test_what_a_visitor_looked_at_is_forgotten_after_an_hour(parts):
    assert parts["State"].time_to_live == 3600


def test_the_slider_begins_where_objects_are_kept(parts):
    from mmfastervit.app.answering import LOWEST

    assert (parts["Slider"].minimum, parts["Slider"].value) == (LOWEST, 0.3)
