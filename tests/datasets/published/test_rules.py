"""Labels are numbered as the data sets' own tools number them."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmfastervit.config.finding import zoo_folder
from mmfastervit.datasets.published.rules import (
    cityscapes_table,
    coco_stuff_table,
    draw_cityscapes,
    number_cityscapes,
    number_coco_stuff,
    unpack_sbd,
)

# Name, id and training number of each label, as the data set's own table has them.
CITYSCAPES = """unlabeled 0 255, ego vehicle 1 255, rectification border 2 255, out of roi 3 255,
static 4 255, dynamic 5 255, ground 6 255, road 7 0, sidewalk 8 1, parking 9 255, rail track 10 255,
building 11 2, wall 12 3, fence 13 4, guard rail 14 255, bridge 15 255, tunnel 16 255, pole 17 5,
polegroup 18 255, traffic light 19 6, traffic sign 20 7, vegetation 21 8, terrain 22 9, sky 23 10,
person 24 11, rider 25 12, car 26 13, truck 27 14, bus 28 15, caravan 29 255, trailer 30 255,
train 31 16, motorcycle 32 17, bicycle 33 18"""


def converter(name: str) -> dict:
    """What the converter of mmseg that has this name defines."""
    configs = zoo_folder("mmseg")
    return runpy.run_path(str(configs.parent / f"tools/dataset_converters/{name}.py"))


def test_cityscapes_is_numbered_as_its_table_says():
    table = cityscapes_table()
    for line in CITYSCAPES.replace("\n", " ").split(","):
        *_, number, expected = line.split()
        assert table[int(number)] == int(expected), line
    assert set(table[34:]) == {255}


def test_coco_stuff_is_numbered_as_mmsegs_converter_does():
    expected = converter("coco_stuff164k")["clsID_to_trID"]
    table = coco_stuff_table()
    assert {value: table[value] for value in expected} == expected
    others = sorted(set(range(256)) - set(expected))
    assert set(table[others]) == {255}


@pytest.mark.parametrize(
    ("rule", "table"),
    [(number_cityscapes, cityscapes_table), (number_coco_stuff, coco_stuff_table)],
)
@pytest.mark.parametrize("mode", ["L", "P"])
def test_maps_are_numbered_pixel_by_pixel(rule, table, mode, tmp_path):
    values = np.arange(256, dtype=np.uint8).reshape(8, 32)
    image = Image.fromarray(values)
    if mode == "P":
        image.putpalette([255 - i % 256 for i in range(768)])
    image.save(tmp_path / "raw.png")
    assert Image.open(tmp_path / "raw.png").mode == mode
    rule(tmp_path / "raw.png", tmp_path / "made.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "made.png")), table()[values])


def test_a_map_in_colours_is_refused(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "colours.png")
    with pytest.raises(ValueError, match="one channel of 8 bits, and this one is 'RGB'"):
        number_cityscapes(tmp_path / "colours.png", tmp_path / "made.png")
    assert not (tmp_path / "made.png").exists()


def test_sbd_is_unpacked_as_mmsegs_converter_does(tmp_path):
    from scipy.io import savemat

    values = np.random.default_rng(0).integers(0, 21, (5, 7), dtype=np.uint8)
    savemat(tmp_path / "a.mat", dict(GTcls=dict(Segmentation=values, Boundaries=[1])))
    unpack_sbd(tmp_path / "a.mat", tmp_path / "ours.png")
    converter("voc_aug")["convert_mat"]("a.mat", str(tmp_path), str(tmp_path))
    ours, theirs = (np.asarray(Image.open(tmp_path / name)) for name in ("ours.png", "a.png"))
    assert np.array_equal(ours, values)
    assert np.array_equal(ours, theirs)


def test_a_mat_file_of_something_else_is_refused(tmp_path):
    from scipy.io import savemat

    savemat(tmp_path / "a.mat", dict(GTinst=1))
    with pytest.raises(ValueError, match=r"no GTcls\.Segmentation"):
        unpack_sbd(tmp_path / "a.mat", Path("x.png"))


def test_polygons_need_the_data_sets_package(tmp_path, monkeypatch):
    module = "mmfastervit.datasets.published.rules.find_spec"
    monkeypatch.setattr(module, lambda name: None)
    with pytest.raises(ValueError, match="pip install cityscapesscripts"):
        draw_cityscapes(tmp_path / "a.json", tmp_path / "a.png")


def test_cityscapes_is_numbered_and_drawn_as_its_own_package_does(tmp_path):
    """A polygon map of ids, numbered by us, equals the polygons drawn with training numbers."""
    package = pytest.importorskip(
        "cityscapesscripts.preparation.json2labelImg", reason="cityscapesscripts is not installed"
    )
    from cityscapesscripts.helpers.labels import labels

    table = cityscapes_table()
    assert all(table[label.id] == label.trainId for label in labels if label.id >= 0)
    squares = [
        dict(label=label.name, polygon=[[x, 2], [x + 6, 2], [x + 6, 9], [x, 9]])
        for x, label in zip(range(0, 200, 5), labels, strict=False)
    ]
    polygons = tmp_path / "a_polygons.json"
    polygons.write_text(json.dumps(dict(imgHeight=12, imgWidth=200, objects=squares)))
    package.json2labelImg(str(polygons), str(tmp_path / "ids.png"), "ids")
    number_cityscapes(tmp_path / "ids.png", tmp_path / "numbered.png")
    draw_cityscapes(polygons, tmp_path / "drawn.png")
    numbered, drawn = (
        np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("numbered", "drawn")
    )
    assert np.array_equal(numbered, drawn)
    assert len(np.unique(drawn)) == 20
