"""The summary names what a person would look for."""

from mmengine.config import Config

from mmfastervit.config.changes import Change
from mmfastervit.swap import Swap
from mmfastervit.swap.summary import summarise


def test_a_checkpoint_that_is_dropped_is_named_however_long_its_name():
    url = "https://download.openmmlab.com/" + "long/" * 30 + "weights.pth"
    was = dict(type="Pretrained", checkpoint=url)
    change = Change(("model", "init_cfg"), was, None, "")
    assert url in summarise(Swap(Config(), (change,), (), ("model",)))
