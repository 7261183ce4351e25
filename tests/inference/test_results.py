"""Results as plain arrays, and in the forms of other libraries."""

import numpy as np
import pytest
from pycocotools import mask as coco_masks

from mmfastervit.inference.results import Detections, Segmentation
from mmfastervit.palettes import palette_for

CLASSES = ("cat", "dog")


def detections(masks: bool = True) -> Detections:
    boxes = np.array([[1, 2, 5, 6], [0, 0, 4, 4], [2.5, 2, 3.5, 8]], dtype=np.float32)
    found = np.zeros((3, 8, 10), dtype=bool)
    for mask, (left, top, right, bottom) in zip(found, boxes.astype(int), strict=True):
        mask[top:bottom, left:right] = True
    return Detections(
        boxes,
        np.array([0.9, 0.5, 0.2], dtype=np.float32),
        np.array([1, 0, 1]),
        CLASSES,
        palette_for(CLASSES),
        found if masks else None,
    )


def test_objects_are_chosen_by_score_and_class():
    assert detections().kept(0.4).scores.tolist() == pytest.approx([0.9, 0.5])
    dogs = detections().kept(0, ["dog"])
    assert dogs.names == ["dog", "dog"]
    assert dogs.masks.shape == (2, 8, 10)
    assert len(detections().kept(1.0)) == 0


def test_coco_has_left_top_width_height_and_the_masks():
    first, _, last = detections().to_coco(7)
    assert (first["image_id"], first["category_id"], first["bbox"]) == (7, 2, [1, 2, 4, 4])
    assert last["bbox"] == [2.5, 2, 1, 6]
    assert np.array_equal(coco_masks.decode(first["segmentation"]), detections().masks[0])
    assert first["area"] == 16
    assert "segmentation" not in detections(masks=False).to_coco(1)[0]


def test_a_label_map_keeps_what_was_asked_for():
    found = Segmentation(np.array([[0, 1], [1, 1]], dtype=np.uint8), CLASSES, palette_for(CLASSES))
    assert found.kept(["dog"]).labels.tolist() == [[255, 1], [1, 1]]
    assert found.shares() == {"dog": 0.75, "cat": 0.25}
    assert found.kept(["dog"]).shares() == {"dog": 0.75}


def test_supervision_gets_the_same_objects():
    supervision = pytest.importorskip("supervision", reason="the extra infer is not installed")
    found = detections().to_supervision()
    assert isinstance(found, supervision.Detections)
    assert np.array_equal(found.xyxy, detections().boxes)
    assert found.data["class_name"].tolist() == ["dog", "cat", "dog"]
    assert np.array_equal(np.asarray(found.mask), detections().masks)


def test_supervision_gets_a_mask_for_each_class_of_a_label_map():
    pytest.importorskip("supervision", reason="the extra infer is not installed")
    labels = np.array([[0, 0, 255], [1, 1, 255]], dtype=np.uint8)
    found = Segmentation(labels, CLASSES, palette_for(CLASSES)).to_supervision()
    assert found.data["class_name"].tolist() == list(CLASSES)
    assert np.array_equal(np.asarray(found.mask), [labels == 0, labels == 1])


def test_without_supervision_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("mmfastervit.inference.results.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"mmfastervit\[infer\]"):
        detections().to_supervision()
