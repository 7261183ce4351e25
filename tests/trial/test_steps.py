"""A model is trained one step and predicts once, the same every time."""

import logging

import pytest
import torch
from mmengine.logging import MMLogger

from mmfastervit.config.finding import read_config
from mmfastervit.config.tree import plain
from mmfastervit.trial import StepError, steps

RETINANET = "mmdet::retinanet/retinanet_r18_fpn_1x_coco.py"
MODEL = ("model",)


@pytest.fixture
def retinanet():
    return plain(read_config(RETINANET).to_dict())


def test_each_step_is_told_as_it_is_done(retinanet):
    done = dict(steps(retinanet, MODEL))
    assert list(done) == ["built", "trained", "predicted"]
    assert done["predicted"] == "one inference step: 1 prediction"


def test_a_frozen_parameter_is_no_missing_gradient_but_an_unused_one_is(retinanet):
    retinanet["model"]["backbone"]["frozen_stages"] = 1
    assert "trained" in dict(steps(retinanet, MODEL))
    retinanet["model"]["neck"].update(start_level=0, end_level=2)
    retinanet["model"]["neck"].update(num_outs=3, add_extra_convs=False)
    anchors = retinanet["model"]["bbox_head"]["anchor_generator"]
    anchors["strides"] = anchors["strides"][:3]
    with pytest.raises(StepError, match=r"without a gradient.*layer4"):
        dict(steps(retinanet, MODEL))


def test_it_logs_no_line_a_parameter_and_restores_the_level(retinanet, capfd):
    logger = MMLogger.get_current_instance()
    logger.setLevel(logging.INFO)
    list(steps(retinanet, MODEL))
    assert "paramwise_options" not in "".join(capfd.readouterr())
    assert logger.level == logging.INFO


def test_it_draws_the_same_numbers_every_time_and_none_of_the_callers(retinanet):
    first = list(steps(retinanet, MODEL))
    state = torch.get_rng_state()
    assert list(steps(retinanet, MODEL)) == first
    assert torch.equal(torch.get_rng_state(), state)
