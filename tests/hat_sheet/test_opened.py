"""Models as they are opened, on pictures as people have them."""

import numpy as np
import pytest
import torch
from support.opened import KINDS, checkpoint_of, config_of, opened, picture

from mmfastervit.hat_sheet import explain, measure


@pytest.mark.parametrize("kind", KINDS)
def test_a_point_lies_where_the_picture_was_scaled_to(kind):
    """The pipelines resize: whatever the size of the picture, the layout covers it."""
    for size in ((64, 48), (200, 90)):
        found = measure(opened(kind), picture(size), (size[0] - 1, size[1] - 1), copies=1)
        assert found.picture.shape[:2] == size[::-1]
        assert found.layout.rows[-1] == pytest.approx(size[1], rel=0.02)
        assert found.layout.columns[-1] == pytest.approx(size[0], rel=0.02)
        shown = np.argwhere(found.layout.shown)
        assert tuple(shown[-1]) == found.layout.own
        height, width = found.heard.strength.shape
        assert width / height == pytest.approx(size[0] / size[1], rel=0.1)


def test_a_model_is_left_as_it_was():
    model = opened("seg")
    before = {name: value.clone() for name, value in model.model.state_dict().items()}
    measure(model, picture(), (3, 4), copies=1)
    for name, value in model.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not model.model.training


def test_explaining_says_whether_there_were_weights():
    point = (3, 4)
    trained = explain(config_of("seg"), checkpoint_of("seg"), picture(), point, copies=1)
    random = explain(config_of("seg"), None, picture(), point, copies=1)
    assert (trained.is_trained, random.is_trained) == (True, False)


def test_a_point_beside_the_picture_is_told_before_anything_is_measured():
    with pytest.raises(ValueError, match="80 pixels wide and 64 high"):
        measure(opened("seg"), picture((80, 64)), (80, 0))


def test_a_host_with_hat_is_measured():
    cfg = config_of("seg")
    cfg.model.backbone = dict(
        type="mmfastervit.HATBackbone",
        backbone=dict(
            type="mmdet.SwinTransformer", embed_dims=8, depths=(1, 1, 2, 1), num_heads=(1, 1, 2, 2)
        ),
        mode="replace",
    )
    found = explain(cfg, None, picture((200, 130)), (100, 60), copies=1)
    assert found.stage == "backbone.stages.2"
    assert len(found.blocks) == 2
    assert found.reach(found.heard).outside >= found.reach(found.deaf).outside
