"""What is said of published data sets, as people unpack them."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import unpacked_data as unpacked

from mmfastervit.datasets.published import LAYOUTS, look_at_folder, make_missing
from mmfastervit.datasets.published.looking import is_whole


def look(name: str, *roots: Path, allow_part: bool = True):
    return look_at_folder(LAYOUTS[name], roots, allow_part)


def made(name: str, *roots: Path):
    """The looks after what is missing was made."""
    assert make_missing(look(name, *roots)) == []
    return look(name, *roots)


def files_of(root: Path) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("levels", ["", "coco", "unpacked/coco"])
def test_coco_is_found_however_deep(levels, tmp_path):
    unpacked.coco(tmp_path / levels)
    boxes, panoptic, stuff = look("coco", tmp_path)
    assert boxes.is_ready
    assert boxes.base == tmp_path / levels
    assert boxes.moved == {}
    assert panoptic.is_absent
    assert stuff.is_absent


def test_fewer_files_than_were_published_are_a_fault_unless_it_is_meant(tmp_path):
    unpacked.ade20k(tmp_path)
    (one,) = look("ade20k", tmp_path, allow_part=False)
    assert len(one.faults) == 4
    assert "images/training: 3 of the 20210 that were published" in one.faults[0]
    (one,) = look("ade20k", tmp_path)
    assert one.is_ready
    assert "images/training: 3 of the 20210 that were published" in one.notes[0]


def test_pictures_that_the_file_names_and_are_not_there(tmp_path):
    unpacked.coco(tmp_path)
    (tmp_path / "train2017/000000000001.jpg").unlink()
    (fault,) = look("coco", tmp_path)[0].faults
    assert "1 of the 3 files that annotations/instances_train2017.json names are not" in fault
    assert "000000000001.jpg" in fault
    assert "train2017.zip" in fault


def test_an_annotation_file_that_is_cut_off(tmp_path):
    unpacked.coco(tmp_path)
    file = tmp_path / "annotations/instances_val2017.json"
    file.write_bytes(file.read_bytes()[:-5])
    (fault,) = look("coco", tmp_path)[0].faults
    assert fault == f"{file} is cut off: unpack or download it again"


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_an_annotation_file_that_is_none(content, tmp_path):
    unpacked.coco(tmp_path)
    (tmp_path / "annotations/instances_val2017.json").write_bytes(content)
    assert "is cut off" in " ".join(look("coco", tmp_path)[0].faults)


def test_a_zip_that_is_still_packed_is_told_with_the_command(tmp_path):
    unpacked.coco(tmp_path)
    shutil.rmtree(tmp_path / "val2017")
    with zipfile.ZipFile(tmp_path / "val2017.zip", "w") as file:
        file.writestr("val2017/a.jpg", b"")
    (fault,) = look("coco", tmp_path)[0].faults
    zipped = tmp_path / "val2017.zip"
    assert fault == f"missing: val2017: packed; unpack it: unzip -n {zipped} -d {tmp_path}"
    zipped.write_bytes(zipped.read_bytes()[:20])
    assert "val2017.zip is not whole" in look("coco", tmp_path)[0].faults[0]


def test_panoptic_maps_inside_a_second_zip(tmp_path):
    unpacked.coco(tmp_path, panoptic=True)
    shutil.rmtree(tmp_path / "annotations/panoptic_val2017")
    with zipfile.ZipFile(tmp_path / "annotations/panoptic_val2017.zip", "w") as file:
        file.writestr("panoptic_val2017/a.png", b"")
    faults = "\n".join(look("coco", tmp_path)[1].faults)
    assert f"panoptic_val2017.zip -d {tmp_path / 'annotations'}" in faults


def test_panoptic_recipes_need_a_package(tmp_path, monkeypatch):
    unpacked.coco(tmp_path, panoptic=True)
    found = "mmfastervit.datasets.published.looking.find_spec"
    monkeypatch.setattr(found, lambda name: None)
    assert "panopticapi" in look("coco", tmp_path)[1].faults[0]
    monkeypatch.setattr(found, lambda name: name)
    assert look("coco", tmp_path)[1].is_ready


def test_what_is_nowhere_is_told_with_its_source(tmp_path):
    unpacked.coco(tmp_path)
    shutil.rmtree(tmp_path / "annotations")
    (fault,) = look("coco", tmp_path)[0].faults
    assert fault == (
        "missing: annotations/instances_train2017.json, annotations/instances_val2017.json: had "
        "from https://cocodataset.org/#download (annotations_trainval2017.zip); if you have it "
        "elsewhere: --root DIR THAT_FOLDER"
    )


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_folder_of_something_else_is_refused(name, tmp_path):
    (tmp_path / "notes").mkdir()
    with pytest.raises(ValueError, match=r"holds nothing of .* there is notes"):
        look(name, tmp_path)


def test_the_other_release_of_ade20k_is_recognised(tmp_path):
    (tmp_path / "ADE20K_2021_17_01/images/ADE/training").mkdir(parents=True)
    with pytest.raises(ValueError, match="this is the full ADE20K"):
        look("ade20k", tmp_path)


@pytest.mark.parametrize(
    ("name", "make", "folder"),
    [
        ("ade20k", unpacked.ade20k, "annotations/validation/ADE_00000001.png"),
        ("cityscapes", unpacked.cityscapes, "gtFine/val/lindau/lindau_000001_000019_gtFine_labelIds"
                                            ".png"),
    ],
)  # fmt: skip
def test_pictures_without_a_map_are_named(name, make, folder, tmp_path):
    make(tmp_path)
    (tmp_path / folder).unlink()
    (one,) = look(name, tmp_path)
    (fault,) = one.faults
    assert "1 pictures of " in fault
    assert Path(folder).name.split("_gtFine")[0].removesuffix(".png") in fault


def test_cityscapes_maps_are_made_and_nothing_else_is_touched(tmp_path):
    unpacked.cityscapes(tmp_path)
    before = files_of(tmp_path)
    (one,) = look("cityscapes", tmp_path)
    assert len(one.tasks) == 6  # those for testing are hidden: nobody has them
    assert not one.is_ready
    (one,) = made("cityscapes", tmp_path)
    assert one.is_ready
    after = files_of(tmp_path)
    assert {name: after[name] for name in before} == before
    new = sorted(after.keys() - before.keys())
    assert len(new) == 6
    assert new[0] == "gtFine/train/aachen/aachen_000000_000019_gtFine_labelTrainIds.png"


def test_cityscapes_unpacked_into_two_folders(tmp_path):
    images, fine = "leftImg8bit_trainvaltest/leftImg8bit", "gtFine_trainvaltest/gtFine"
    unpacked.cityscapes(tmp_path, images, fine)
    (one,) = made("cityscapes", tmp_path)
    assert one.is_ready
    parts = (("leftImg8bit/train", images), ("gtFine/train", fine))
    places = {name: tmp_path / folder / name.split("/")[1] for name, folder in parts}
    for name, path in places.items():
        assert one.moved.get(name, one.base / name) == path


def test_an_interrupted_making_goes_on(tmp_path):
    unpacked.cityscapes(tmp_path)
    made("cityscapes", tmp_path)
    maps = sorted((tmp_path / "gtFine").rglob("*_labelTrainIds.png"))
    whole = maps[0].read_bytes()
    maps[0].write_bytes(whole[:-20])  # as a power cut leaves it
    maps[1].unlink()
    left = {path: path.stat().st_mtime_ns for path in maps[2:]}
    (one,) = look("cityscapes", tmp_path)
    assert sorted(task.target for task in one.tasks) == maps[:2]
    assert made("cityscapes", tmp_path)[0].is_ready
    assert maps[0].read_bytes() == whole
    assert {path: path.stat().st_mtime_ns for path in maps[2:]} == left


def test_maps_that_another_rule_made_stay_and_are_told(tmp_path):
    unpacked.cityscapes(tmp_path)
    made("cityscapes", tmp_path)
    theirs = sorted((tmp_path / "gtFine/train").rglob("*_labelTrainIds.png"))[0]
    Image.fromarray(np.zeros(unpacked.SIZE, np.uint8)).save(theirs)
    (fault,) = made("cityscapes", tmp_path)[0].faults
    assert f"{theirs} is numbered otherwise" in fault
    assert not np.asarray(Image.open(theirs)).any()


def test_a_map_that_cant_be_read_is_told_and_the_others_are_made(tmp_path):
    unpacked.cityscapes(tmp_path)
    bad = sorted((tmp_path / "gtFine/train").rglob("*_labelIds.png"))[0]
    bad.write_bytes(b"no picture")
    ((path, reason),) = make_missing(look("cityscapes", tmp_path))
    assert path == bad
    assert "cannot identify image file" in reason
    assert len([*(tmp_path / "gtFine").rglob("*_labelTrainIds.png")]) == 5
    assert not [*(tmp_path / "gtFine").rglob(".*")], "a part was left"


@pytest.mark.parametrize("folder", ["stuffthingmaps", "annotations"])
def test_coco_stuff_is_made_beside_its_maps(folder, tmp_path):
    unpacked.coco(tmp_path)
    unpacked.stuff(tmp_path, folder)
    stuff = made("coco", tmp_path)[2]
    assert stuff.is_ready, stuff.faults
    assert (tmp_path / folder / "val2017/000000000002_labelTrainIds.png").is_file()
    assert stuff.moved["images/val2017"] == tmp_path / "val2017"


def test_voc_gets_the_added_labels_and_both_lists(tmp_path):
    root = tmp_path / "VOCdevkit/VOC2012"
    unpacked.voc(root)
    unpacked.sbd(tmp_path / "benchmark_RELEASE")
    (one,) = made("voc", root, tmp_path / "benchmark_RELEASE")
    assert one.is_ready, one.faults
    lists = root / "ImageSets/Segmentation"
    assert (lists / "aug.txt").read_text() == "c1\nc2\nc3\n"
    assert (lists / "trainaug.txt").read_text() == "a1\na2\nc1\nc2\nc3\n"
    for name in ("c1", "c2", "c3"):
        labels = np.asarray(Image.open(root / f"SegmentationClassAug/{name}.png"))
        assert np.array_equal(labels, unpacked.sbd_map(name))


def test_voc_without_the_added_labels_says_where_they_are(tmp_path):
    unpacked.voc(tmp_path)
    (one,) = look("voc", tmp_path)
    assert not one.is_ready
    assert "missing: SegmentationClassAug, ImageSets/Segmentation/aug.txt" in one.faults[0]
    assert "benchmark.tgz" in one.faults[0]


def test_voc_with_added_labels_made_by_others_gets_its_lists(tmp_path):
    unpacked.voc(tmp_path)
    for name in ("a1", "a2", "b1", "b2", "c1", "c2"):
        unpacked.labels(tmp_path / f"SegmentationClassAug/{name}.png", unpacked.all_values())
    (one,) = made("voc", tmp_path)
    assert one.is_ready, one.faults
    assert (tmp_path / "ImageSets/Segmentation/aug.txt").read_text() == "c1\nc2\n"


def test_lists_that_are_there_stay(tmp_path):
    unpacked.voc(tmp_path)
    unpacked.sbd(tmp_path / "sbd")
    theirs = tmp_path / "ImageSets/Segmentation/aug.txt"
    theirs.write_text("c2\n")
    assert made("voc", tmp_path)[0].is_ready
    assert theirs.read_text() == "c2\n"


def test_many_maps_are_made_in_processes(tmp_path, monkeypatch):
    unpacked.cityscapes(tmp_path)
    monkeypatch.setattr("mmfastervit.datasets.published.making._FEW", 1)
    monkeypatch.setattr("mmfastervit.datasets.published.making._TASKS_AT_ONCE", 3)
    shown = []

    def track(results, length):
        shown.append(length)
        yield from results

    assert make_missing(look("cityscapes", tmp_path), workers=2, track=track) == []
    assert shown == [2]
    assert look("cityscapes", tmp_path)[0].is_ready


def test_a_png_is_whole_when_it_has_its_end(tmp_path):
    file = tmp_path / "a.png"
    assert not is_whole(file)
    Image.new("L", (9, 9)).save(file)
    assert is_whole(file)
    file.write_bytes(file.read_bytes()[:-1])
    assert not is_whole(file)
    file.write_bytes(b"")
    assert not is_whole(file)


def test_links_that_lead_in_a_circle_end_the_look(tmp_path):
    unpacked.ade20k(tmp_path)
    (tmp_path / "images/again").symlink_to(tmp_path)
    assert look("ade20k", tmp_path)[0].is_ready


def test_names_with_other_signs_are_read(tmp_path):
    unpacked.coco(tmp_path)
    file = tmp_path / "annotations/instances_val2017.json"
    content = json.loads(file.read_text())
    content["images"][0]["file_name"] = 'ü "x".jpg'
    file.write_text(json.dumps(content))
    unpacked.picture(tmp_path / 'val2017/ü "x".jpg')
    assert look("coco", tmp_path)[0].is_ready
