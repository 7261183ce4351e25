"""What a visitor looks at is kept packed, and comes back as it was."""

import pickle

import numpy as np
import pytest
from PIL import Image
from support.opened import opened, picture

from mmfastervit.app.answering import LOWEST, ModelAnswers
from mmfastervit.app.seen import PackedMask
from mmfastervit.inference import Predictor

SHAPE = (150, 201)


def patch(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[rows, columns] = True
    return mask


MASKS = {
    "none": np.zeros(SHAPE, dtype=bool),
    "all": np.ones(SHAPE, dtype=bool),
    "one pixel": patch(slice(149, 150), slice(200, 201)),
    "a box": patch(slice(3, 90), slice(17, 40)),
    "noise": np.random.default_rng(0).random(SHAPE) < 0.5,
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_comes_back_and_takes_a_bit_for_a_pixel_at_most(name):
    packed = PackedMask.of(MASKS[name])
    again = np.zeros(SHAPE, dtype=bool)
    packed.unpack_into(again)
    assert (again == MASKS[name]).all()
    assert len(packed.content) <= MASKS[name].size / 8 + 64


def test_what_is_kept_of_a_detector_with_masks_is_the_picture_and_little_more(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(picture((320, 256))).save(path)
    model = opened("mask")
    seen = ModelAnswers(model).predict(str(path))
    whole = Predictor(model, score_thr=LOWEST).predict(path)
    assert whole.masks.any()
    assert len(pickle.dumps(seen)) < seen.image.nbytes + whole.masks.nbytes / 8 + 4000
    for threshold in (LOWEST, float(np.median(whole.scores)), 1.0):
        found, expected = seen.kept(threshold), whole.kept(threshold)
        assert len(found) == len(expected)
        assert (found.boxes == expected.boxes).all()
        assert (found.masks == expected.masks).all()
