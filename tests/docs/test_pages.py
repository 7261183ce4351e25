"""The pages lead where they say, and what they name is there."""

import ast
import re

import pytest
from support.pages import PAGES, ROOT, WRITTEN, anchors, blocks, code_spans, prose, title

from mmfastervit.config.finding import find_config

LINK = re.compile(r"\]\(([^)\s]+)\)")
SOURCE = re.compile(r"""\bsrc(?:set)?="([^"\s]+)""")  # of HTML's pictures
CONFIG = re.compile(r"(?:\w+::|configs/|docs/examples/)[\w./-]+\.py\b")
PLACEHOLDER = re.compile("NAME|FOLDER|FILE")
TO_WRITE = re.compile(r"[Aa]s\s+`([\w/.-]+\.py)`")  # the page tells its reader to write it


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_links_and_anchors_lead_somewhere(page):
    for link in LINK.findall(prose(page)) + SOURCE.findall(prose(page)):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_is_linked_from_the_index():
    index = ROOT / "docs/README.md"
    linked = {
        (index.parent / link.partition("#")[0]).resolve() for link in LINK.findall(prose(index))
    }
    assert {page for page in PAGES if page.parent == index.parent} - {index} <= linked


@pytest.mark.parametrize("page", WRITTEN, ids=title)
def test_configs_that_are_named_exist(page):
    text = page.read_text(encoding="utf-8")
    written_by_the_reader = set(TO_WRITE.findall(text))
    for name in CONFIG.findall(text):
        if PLACEHOLDER.search(name) or name in written_by_the_reader:
            continue
        assert find_config(name if "::" in name else str(ROOT / name)).is_file()


@pytest.mark.parametrize("page", WRITTEN, ids=title)
def test_files_of_the_checkout_that_are_named_exist(page):
    for span in code_spans(page) if page.name != "CHANGELOG.md" else ():  # it names what is gone
        if re.fullmatch(r"(tools|requirements|mmfastervit|tests)/[\w./-]+\.\w+", span):
            assert (ROOT / span).exists(), span


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_python_compiles(page):
    for block in blocks(page, "python"):
        try:
            ast.parse(block.text)
        except SyntaxError as error:
            raise AssertionError(f"{title(page)}, line {block.line + error.lineno - 1}") from error


def test_the_front_page_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 200


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_no_page_names_a_place_that_no_reader_has(page):
    assert "../shared" not in page.read_text(encoding="utf-8")


def test_the_quick_start_shows_the_examples_as_they_are():
    shown = {
        block.note.rpartition(" is ")[2]: block.text
        for block in blocks(ROOT / "docs/quick-start.md", "python")
        if " is " in block.note
    }
    assert len(shown) == 2
    for name, text in shown.items():
        assert (ROOT / name).read_text(encoding="utf-8") == text, name
