"""A page is served to as many visitors as are remembered, at a port that is free."""

from importlib.util import find_spec

import pytest
from support.ports import taken_port

pytestmark = pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not installed")


@pytest.fixture
def page():
    """A page on which a visitor's state is a number."""
    import gradio as gr

    with gr.Blocks(analytics_enabled=False) as blocks:
        state = gr.State(0)
        gr.Button("more").click(lambda number: number + 1, [state], [state])
    yield blocks
    blocks.close()


def test_with_one_visitor_more_the_oldest_is_forgotten(page):
    from mmfastervit.app.serving import serve

    assert serve(page, None, max_upload=1).startswith("http://127.0.0.1:")
    for visitor in map(str, range(11)):
        assert page.state_holder[visitor] is page.state_holder[visitor]
    assert "0" not in page.state_holder
    assert all(str(visitor) in page.state_holder for visitor in range(1, 11))


def test_a_taken_port_is_told_with_what_to_do(page):
    from mmfastervit.app.serving import serve

    with taken_port() as port, pytest.raises(OSError, match=f"port {port} .*another --port"):
        serve(page, port, max_upload=1)
