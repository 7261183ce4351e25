"""Tests of the generated shapes data set: its scenes, its labels and its care with files."""

import ast
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from mmfastervit.datasets.shapes import (
    SHAPE_CLASSES,
    SHAPE_PALETTE,
    mask_to_polygons,
    render_scene,
    storing,
    write_dataset,
)
from mmfastervit.datasets.shapes import scene as scene_module

SMALL = {"train": 4, "val": 2, "size": 96, "seed": 3}


@pytest.fixture(scope="module")
def small_set(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("made") / "shapes", **SMALL)


def contents(folder: Path) -> dict:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def change_times(folder: Path) -> dict:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def decode(polygons: list, mask: np.ndarray) -> np.ndarray:
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, *mask.shape))) > 0


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return (first & second).sum() / (first | second).sum()


@pytest.mark.parametrize(("size", "fewest"), [(64, 3), (160, 12)])  # fewer fit a small image
def test_scene_holds_up_to_twenty_visible_disjoint_objects(size, fewest):
    for seed in range(12):
        scene = render_scene(np.random.default_rng(seed), size)
        masks = np.stack(scene.masks)
        assert scene.image.shape == (size, size, 3)
        assert scene.image.dtype == np.uint8
        assert masks.dtype == bool
        assert fewest <= len(scene.labels) == len(masks) <= 20
        assert masks.sum(axis=0).max() == 1
        assert masks.sum(axis=(1, 2)).min() >= 40
        assert set(scene.labels) <= set(range(len(SHAPE_CLASSES)))


def test_every_placed_object_shows_over_a_third_of_itself():
    shares = []
    for seed in range(30):
        placed, owner = scene_module.place_objects(np.random.default_rng(seed), 128)
        shares += [(owner == index).sum() / place.area for index, place in enumerate(placed)]
    assert min(shares) >= 0.35
    assert np.mean(np.array(shares) < 0.9) > 0.1, "hardly any object is hidden in part"


def test_objects_stand_out_from_what_surrounds_them():
    kernel = np.ones((7, 7), np.uint8)
    for seed in range(10):
        scene = render_scene(np.random.default_rng(seed), 128)
        lab = cv2.cvtColor(scene.image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        for mask in scene.masks:
            ring = (cv2.dilate(mask.astype(np.uint8), kernel) > 0) & ~mask
            distances = np.linalg.norm(lab[mask][:, None] - lab[ring], axis=-1)
            assert np.median(distances) > 15


def test_scene_depends_on_the_generator_alone():
    first, again, other = (render_scene(np.random.default_rng(seed), 96) for seed in (1, 1, 2))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.semantic_map(), again.semantic_map())
    assert not np.array_equal(first.image, other.image)


def test_every_class_has_an_outline_and_a_colour_of_its_own():
    assert len(scene_module.UNIT_OUTLINES) == len(SHAPE_CLASSES) == len(set(SHAPE_PALETTE)) == 3
    for outline in scene_module.UNIT_OUTLINES:
        assert cv2.contourArea(outline.astype(np.float32)) == pytest.approx(np.pi)
        assert abs(outline.mean(axis=0)).max() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("holes", [0, 1, 3])
def test_polygons_reproduce_a_mask_in_pieces_with_holes(holes):
    mask = np.zeros((40, 60), bool)
    mask[2:30, 3:50] = True
    mask[35, 57] = True  # a single pixel apart
    for column in (8, 20, 36)[:holes]:
        mask[10:17, column : column + 5] = False
    polygons = mask_to_polygons(mask)
    assert all(len(polygon) >= 6 for polygon in polygons)
    assert iou(decode(polygons, mask), mask) > 0.99


def test_coco_file_agrees_with_semantic_maps(small_set):
    for split, folder in (("train", "training"), ("val", "validation")):
        coco = COCO(small_set / f"instances_{split}.json")
        assert [c["name"] for c in coco.loadCats(range(1, 4))] == list(SHAPE_CLASSES)
        assert sorted(coco.anns) == list(range(1, len(coco.anns) + 1))
        assert sorted(coco.imgs) == list(range(1, SMALL[split] + 1))
        for image in coco.loadImgs(coco.imgs):
            picture = cv2.imread(str(small_set / "images" / folder / image["file_name"]))
            assert picture.shape == (image["height"], image["width"], 3)
            stem = Path(image["file_name"]).stem
            stored = cv2.imread(
                str(small_set / "annotations" / folder / f"{stem}.png"), cv2.IMREAD_UNCHANGED
            )
            assert stored.dtype == np.uint8
            drawn = np.zeros_like(stored)
            for annotation in coco.imgToAnns[image["id"]]:
                drawn[coco.annToMask(annotation) > 0] = annotation["category_id"]
            assert np.mean(drawn != stored) < 0.005


def test_coco_annotations_describe_the_visible_masks(small_set):
    coco = COCO(small_set / "instances_train.json")
    for image_id in coco.imgs:
        rng = np.random.default_rng([SMALL["seed"], 0, image_id - 1])
        scene = render_scene(rng, SMALL["size"])
        annotations = coco.imgToAnns[image_id]
        assert [a["category_id"] - 1 for a in annotations] == scene.labels
        for annotation, mask in zip(annotations, scene.masks, strict=True):
            rows, columns = np.nonzero(mask)
            left, top, width, height = annotation["bbox"]
            assert (left, top) == (columns.min(), rows.min())
            assert (left + width - 1, top + height - 1) == (columns.max(), rows.max())
            assert annotation["area"] == mask.sum()
            assert annotation["iscrowd"] == 0
            assert all(len(polygon) >= 6 for polygon in annotation["segmentation"])
            assert iou(decode(annotation["segmentation"], mask), mask) > 0.9


def test_manifest_tells_arguments_and_counts(small_set):
    manifest = json.loads((small_set / "dataset.json").read_text())
    annotations = json.loads((small_set / "instances_val.json").read_text())["annotations"]
    assert manifest["arguments"] == SMALL
    assert tuple(manifest["classes"]) == SHAPE_CLASSES
    assert manifest["images"] == {"train": 4, "val": 2}
    assert sum(manifest["objects"]["val"].values()) == len(annotations)


def test_equal_arguments_give_equal_bytes(small_set, tmp_path):
    assert contents(write_dataset(tmp_path / "again", **SMALL)) == contents(small_set)


def test_a_larger_set_begins_with_the_smaller_one(small_set, tmp_path):
    larger = contents(write_dataset(tmp_path / "larger", **{**SMALL, "train": 5}))
    smaller = contents(small_set)
    pictures = [name for name in smaller if not name.endswith(".json")]
    assert len(pictures) == 2 * (4 + 2)
    assert all(larger[name] == smaller[name] for name in pictures)


def test_splits_and_seeds_share_no_image(small_set, tmp_path):
    other = contents(write_dataset(tmp_path / "other", **{**SMALL, "seed": 4}))
    images = [
        data
        for files in (contents(small_set), other)
        for name, data in files.items()
        if name.endswith(".jpg")
    ]
    assert len(set(images)) == len(images) == 12


def test_finished_set_is_kept(small_set):
    before = change_times(small_set)
    assert write_dataset(small_set, **SMALL) == small_set
    assert change_times(small_set) == before


def test_other_arguments_are_refused_unless_overwriting(tmp_path):
    out = write_dataset(tmp_path / "shapes", 1, 1, 64, 0)
    with pytest.raises(FileExistsError, match=r"seed=0.*seed=1.*--overwrite"):
        write_dataset(out, 1, 1, 64, 1)
    write_dataset(out, 1, 1, 64, 1, overwrite=True)
    assert json.loads((out / "dataset.json").read_text())["arguments"]["seed"] == 1
    assert os.listdir(tmp_path) == ["shapes"]


def test_damaged_set_is_not_reused(tmp_path):
    out = write_dataset(tmp_path / "shapes", 1, 1, 64, 0)
    whole = contents(out)
    (out / "images/validation/000000.jpg").unlink()
    with pytest.raises(FileExistsError, match="lacks 1 files"):
        write_dataset(out, 1, 1, 64, 0)
    assert contents(write_dataset(out, 1, 1, 64, 0, overwrite=True)) == whole


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["notes.txt", "dataset.json"])
def test_folder_of_somebody_else_is_never_touched(tmp_path, name, overwrite):
    (tmp_path / name).write_text('{"format": "other"}')
    before = contents(tmp_path)
    with pytest.raises(FileExistsError, match="give another --out"):
        write_dataset(tmp_path, 1, 1, 64, 0, overwrite)
    assert contents(tmp_path) == before


def test_files_added_to_a_set_are_not_overwritten(tmp_path):
    out = write_dataset(tmp_path / "shapes", 1, 1, 64, 0)
    (out / "images" / "mine.txt").write_text("kept")
    before = contents(out)
    with pytest.raises(FileExistsError, match=r"images/mine\.txt"):
        write_dataset(out, 1, 1, 64, 1, overwrite=True)
    assert contents(out) == before


def test_empty_folder_and_missing_parents_are_filled(tmp_path):
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "empty", tmp_path / "a" / "b"):
        assert (write_dataset(out, 1, 1, 64, 0) / "dataset.json").is_file()


@pytest.mark.parametrize("overwrite", [False, True])
def test_interrupted_run_leaves_no_trace(tmp_path, monkeypatch, overwrite):
    out = tmp_path / "shapes"
    if overwrite:
        write_dataset(out, 1, 1, 64, 0)
    before = contents(tmp_path)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(storing, "coco_annotation", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(out, 1, 1, 64, 1, overwrite)
    assert contents(tmp_path) == before
    assert os.listdir(tmp_path) == (["shapes"] if overwrite else [])


def test_failed_rename_brings_the_old_set_back(tmp_path):
    out = write_dataset(tmp_path / "shapes", 1, 1, 64, 0)
    before = contents(out)
    with pytest.raises(FileNotFoundError):
        storing.put_in_place(tmp_path / "never-built", out, tmp_path / "retired")
    assert contents(out) == before


@pytest.mark.parametrize(("name", "value"), [("train", 0), ("val", 0), ("size", 63), ("seed", -1)])
def test_wrong_argument_is_named(tmp_path, name, value):
    with pytest.raises(ValueError, match=f"{name} must be at least .*got {value}"):
        write_dataset(tmp_path / "shapes", **{**SMALL, name: value})
    assert not os.listdir(tmp_path)


def test_too_small_scene_is_refused():
    with pytest.raises(ValueError, match="size must be at least 64"):
        render_scene(np.random.default_rng(0), 32)


def test_module_needs_neither_torch_nor_openmmlab():
    files = Path(storing.__file__).parent.glob("*.py")
    imported = {
        name.split(".")[0]
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in [getattr(node, "module", None) or node.names[0].name]
    }
    assert {name for name in imported if name.startswith(("torch", "mm"))} == set()
