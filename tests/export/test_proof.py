"""The check of a whole model: a file that finds something else does not pass."""

import numpy as np
import pytest
import torch
from support.little_detectors import config_of, saved

from mmfastervit.datasets.shapes import render_scene
from mmfastervit.export import build_whole
from mmfastervit.export.proof import check


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A model, a picture and what is found on it."""
    _, checkpoint = saved("retinanet", tmp_path_factory.mktemp("proof"))
    whole = build_whole(config_of("retinanet"), str(checkpoint), takes_uint8=True)
    picture = render_scene(np.random.default_rng(0), 128).image
    with torch.no_grad():
        outputs = whole(torch.from_numpy(picture)[None])
    return whole, picture, {name: output.numpy() for name, output in outputs.items()}


def _moved(outputs):
    outputs["boxes"][0, 0, ::2] += 3


def _scored(outputs):
    outputs["scores"][0, 0] += 2e-3


def _labelled(outputs):
    outputs["labels"][0, 0] = (outputs["labels"][0, 0] + 1) % 3


def _lost(outputs):
    for name in ("boxes", "scores", "labels"):
        outputs[name][0, :-1] = outputs[name][0, 1:].copy()
    outputs["count"] -= 1


def _doubled(outputs):
    for name in ("boxes", "scores", "labels"):
        outputs[name] = np.concatenate([outputs[name][:, :1], outputs[name]], 1)
    outputs["count"] = outputs["count"] + 1


def _nothing(outputs):
    outputs["count"][:] = 0


@pytest.mark.parametrize("change", [_moved, _scored, _labelled, _lost, _doubled, _nothing])
def test_a_difference_is_told(change, found):
    whole, picture, outputs = found
    assert check(whole, lambda batch: outputs, [picture]).compared > 3
    changed = {name: output.copy() for name, output in outputs.items()}
    change(changed)
    with pytest.raises(ArithmeticError, match=r"picture 1 .* the file is not written|hang on"):
        check(whole, lambda batch: changed, [picture])
