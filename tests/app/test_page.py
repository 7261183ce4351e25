"""The page in a browser: what visitors drop, move and click is answered, each visitor's own."""

import shutil
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image
from support.heads import head_of_png
from support.opened import opened, picture

needs_gradio = pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or find_spec("playwright") is None,
    reason="there is no Chromium here (Debian: apt install chromium), or no playwright",
)
pytestmark = [pytest.mark.slow, needs_gradio]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
FILE, RESULT = "input[type=file]", "[data-testid=image] img, .image-container img"
PATIENCE = 120_000  # milliseconds


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A page of a little segmentor with hierarchical attention."""
    from mmfastervit.app.answering import ModelAnswers
    from mmfastervit.app.building import build_page
    from mmfastervit.app.serving import serve

    page = build_page(ModelAnswers(opened("seg")), 0.3)
    yield serve(page, None, max_upload=1)
    page.close()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def visit(browser, address):
    """Open the page anew, as another visitor."""
    contexts = []

    def opening():
        context = browser.new_context(viewport=dict(width=1100, height=900))
        contexts.append(context)
        tab = context.new_page()
        tab.asked = []
        tab.on("request", lambda request: tab.asked.append(request.url))
        tab.goto(address)
        tab.wait_for_selector(FILE, state="attached", timeout=PATIENCE)
        return tab

    yield opening
    for context in contexts:
        context.close()


def file(folder: Path, name: str, size: tuple[int, int] = (80, 64)) -> str:
    path = folder / name
    Image.fromarray(picture(size)).save(path)
    return str(path)


def result_width(tab) -> int:
    tab.wait_for_selector(RESULT, timeout=PATIENCE)
    image = tab.locator(RESULT).first
    tab.wait_for_function("i => i.complete && i.naturalWidth > 0", arg=image.element_handle())
    return image.evaluate("i => i.naturalWidth")


def test_it_listens_on_the_loopback_alone(address):
    port = int(address.rstrip("/").rpartition(":")[2])
    assert address.startswith("http://127.0.0.1:")
    own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for place in own - {"127.0.0.1"}:
        with (
            pytest.raises(ConnectionRefusedError),
            socket.create_connection((place, port), timeout=2),
        ):
            pass


@needs_browser
def test_a_dropped_picture_appears_and_a_click_brings_the_sheet(visit, tmp_path):
    tab = visit()
    tab.set_input_files(FILE, file(tmp_path, "a.png"))
    assert result_width(tab) == 640  # 80 pixels, drawn eight times as large
    tab.locator(RESULT).first.click(position=dict(x=40, y=40))
    tab.wait_for_function(
        "s => document.querySelectorAll(s).length > 1", arg=RESULT, timeout=PATIENCE
    )
    outside = [url for url in tab.asked if "127.0.0.1" not in url and url.startswith("http")]
    assert outside == []


@needs_browser
def test_a_broken_file_brings_a_message_with_its_name_and_no_path(visit, tmp_path):
    tab = visit()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    tab.set_input_files(FILE, str(broken))
    tab.wait_for_selector("text=broken.png", timeout=PATIENCE)
    tab.wait_for_selector(".toast-body", timeout=PATIENCE)
    said = tab.inner_text(".toast-body")
    assert "broken.png" in said
    assert "/tmp" not in said
    tab.reload()  # the page goes on
    tab.wait_for_selector(FILE, state="attached", timeout=PATIENCE)
    tab.set_input_files(FILE, file(tmp_path, "a.png"))
    assert result_width(tab) == 640


@needs_browser
def test_a_file_that_is_too_large_is_refused(visit, tmp_path):
    tab = visit()
    large = tmp_path / "large.png"
    large.write_bytes(b"0" * (2 * 2**20))
    tab.set_input_files(FILE, str(large))
    tab.wait_for_selector("text=maximum allowed size", timeout=PATIENCE)


@needs_browser
def test_a_picture_of_too_many_pixels_brings_its_size_and_the_limit(visit, tmp_path):
    tab = visit()
    large = tmp_path / "large.png"
    large.write_bytes(head_of_png(8000, 6000))
    tab.set_input_files(FILE, str(large))
    tab.wait_for_selector(".toast-body", timeout=PATIENCE)
    said = tab.inner_text(".toast-body")
    assert "large.png: it has 8000 x 6000 pixels, 48.0 megapixels" in said
    assert "this page takes 40" in said


@needs_browser
def test_two_visitors_see_their_own(visit, tmp_path):
    one, two = visit(), visit()
    one.set_input_files(FILE, file(tmp_path, "wide.png", (80, 64)))
    two.set_input_files(FILE, file(tmp_path, "narrow.png", (50, 64)))
    assert (result_width(one), result_width(two)) == (640, 400)
    one.reload()
    one.wait_for_selector(FILE, state="attached", timeout=PATIENCE)
    assert result_width(two) == 400
