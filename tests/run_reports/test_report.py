"""A report says what was counted, opens by itself, and lets no name of a file or class run."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.drawn_errors import CAT, NAMES, every_kind, picture

from mmfastervit.palettes import palette_for
from mmfastervit.run_reports.maps import MapTally, compare
from mmfastervit.run_reports.page import MOST_CLASSES, matrix_table
from mmfastervit.run_reports.report import WORST, About, detection_report, segmentation_report

ABOUT = About("Where it errs", {"config": "my.py"}, {"coco/bbox_mAP": 0.1234})
EMPTY = ("meta", "img", "br")


class Page(HTMLParser):
    """The elements and words of a page; an element that is not closed in its order is an error."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.words.append(data.strip())

    def rows(self, caption: str) -> dict[str, list[str]]:
        """The words of a table's rows by their heading, from its caption on."""
        place, rows = self.words.index(caption), {}
        names = [*NAMES, "all"]
        place = self.words.index("all", place)  # the heading of the last column
        for name in names:
            place = self.words.index(name, place + 1)
            rows[name] = self.words[place + 1 : place + 9]
        return rows


@pytest.fixture
def drawn(tmp_path: Path) -> str:
    path = tmp_path / "folder" / "drawn.png"
    path.parent.mkdir()
    Image.new("RGB", (620, 620), (90, 90, 90)).save(path)
    return str(path)


@pytest.fixture
def report(drawn) -> str:
    return detection_report(ABOUT, [every_kind(drawn), picture()], NAMES, score=0.3)


def test_a_report_is_well_formed_and_reaches_for_nothing(report):
    page = Page(report)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object"}
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert attributes.get(name, "data:image/jpeg;base64,").startswith("data:image/jpeg")
        if tag == "img":
            assert attributes["alt"]
    assert "url(" not in report
    assert "http" not in report


def test_what_it_is_about_stands_in_it(report):
    words = Page(report).words
    assert {"my.py", "coco/bbox_mAP", "0.1234", "Where it errs"} <= set(words)


def test_the_counts_of_the_drawn_picture_stand_in_their_tables(report):
    page = Page(report)
    detections = page.rows("Detections by class")
    # found, double, class, place, both, background, all
    assert detections["cat"][:7] == ["1", "1", "1", "1", "1", "0", "5"]
    assert detections["dog"][:7] == ["0", "0", "0", "0", "0", "1", "1"]
    assert detections["all"][:7] == ["1", "1", "1", "1", "1", "1", "6"]
    objects = page.rows("Objects by class")
    # found, class, place, missed, all
    assert objects["cat"][:5] == ["1", "0", "1", "0", "2"]
    assert objects["dog"][:5] == ["0", "1", "0", "2", "3"]


def test_what_is_below_the_score_is_not_counted_and_still_costs_precision(drawn):
    page = Page(detection_report(ABOUT, [every_kind(drawn)], NAMES, score=0.65))
    assert page.rows("Detections by class")["all"][:7] == ["1", "1", "1", "0", "0", "0", "3"]
    low = re.search(r"at an IoU of 0.5 is (\d\.\d+)", " ".join(page.words))[1]
    assert low == "0.252"  # 51 / 202, as with all detections


def test_pictures_with_an_error_are_shown_the_worst_first(drawn, tmp_path: Path):
    half = [((0, 0, 20, 20), CAT), ((50, 50, 70, 70), CAT)]
    better = picture(half, [(*half[0], 0.9)], path=str(tmp_path / "better.png"))
    page = Page(detection_report(ABOUT, [better, every_kind(drawn), picture()], NAMES, 0.3))
    titles = [word for word in page.words if ": F1 " in word]
    assert titles[0] == "folder/drawn.png: F1 0.18"
    assert titles[1].endswith("better.png: F1 0.67")
    assert len(titles) == 2
    assert any("Not shown" in word and "better.png" in word for word in page.words)


def test_twenty_pictures_are_shown(drawn):
    page = Page(detection_report(ABOUT, [every_kind(drawn)] * (WORST + 5), NAMES, 0.3))
    assert sum(": F1 " in word for word in page.words) == WORST == 20


def test_names_are_words_and_never_html(drawn):
    name = '<script>alert("1")</script>'
    about = About(name, {name: name}, {name: 1.0})
    text = detection_report(about, [every_kind(drawn)], [name, "<b>dog</b>"], 0.3)
    assert not {tag for tag, _ in Page(text).elements} & {"script", "b"}


def test_without_detections_objects_or_errors_there_is_a_report():
    right = picture([((0, 0, 9, 9), CAT)], [((0, 0, 9, 9), CAT, 0.9)])
    for pictures in ([], [picture()], [right]):
        assert "nan" not in detection_report(ABOUT, pictures, NAMES, 0.3).lower()


def segmented(path: str) -> MapTally:
    tally = MapTally(2, WORST)
    truth = np.array([[0, 0, 1, 255]], dtype=np.uint8)
    tally.add(compare(path, truth, np.array([[0, 1, 1, 1]]), 2))
    return tally


def test_the_report_on_a_segmentor(tmp_path: Path):
    path = tmp_path / "wide.png"
    Image.new("RGB", (4, 1)).save(path)
    page = Page(segmentation_report(ABOUT, segmented(str(path)), NAMES))
    assert sum(tag == "img" for tag, _ in page.elements) == 3
    assert "Mean IoU 0.500" in " ".join(page.words)
    assert any("66.7% of the labelled pixels" in word for word in page.words)
    assert any("wide.png: mean IoU 0.500" in word for word in page.words)


@pytest.mark.parametrize("classes", [2, 9])
def test_classes_have_the_colours_that_infer_draws_them_in(classes, tmp_path: Path):
    path = tmp_path / "wide.png"
    Image.new("RGB", (4, 1)).save(path)
    names, own = [f"class {n}" for n in range(classes)], [[n, 2 * n, 3] for n in range(classes)]
    tally = MapTally(classes, WORST)
    labels = np.arange(classes)[None]
    tally.add(compare(str(path), labels.astype(np.uint8), labels[:, ::-1], classes))
    text = segmentation_report(ABOUT, tally, names, own)
    for colour in palette_for(names, own):
        assert f"rgb{colour}" in text


def test_a_matrix_of_many_classes_keeps_those_that_are_confused_and_all_counts():
    classes = MOST_CLASSES + 60
    matrix = np.diag(np.full(classes + 1, 5))
    matrix[classes, classes] = 0
    matrix[97, 3] = 4
    matrix[3, classes] = 2
    names = [f"class {number}" for number in range(classes)]
    page = Page(matrix_table(matrix, names, ("no object", "not found")))
    assert {"class 97", "class 3", "all others", "no object", "not found"} <= set(page.words)
    assert sum(word.startswith("class ") for word in page.words) == 2 * MOST_CLASSES
    sums = [int(word) for word in page.words if word.isdigit()]
    assert 300 in sums  # the 60 others, five each
