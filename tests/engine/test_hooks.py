"""A test run with ``--deploy``: deployed while it lasts, the model untouched afterwards."""

import logging
from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.registry import HOOKS
from torch import nn

from mmfastervit import FasterViT
from mmfastervit.engine.options import enable_deploy


def test_the_hook_is_added_once_and_is_found_by_its_scope():
    cfg = Config(dict(custom_hooks=[dict(type="EMAHook")]))
    enable_deploy(cfg)
    enable_deploy(cfg)
    assert [hook.type for hook in cfg.custom_hooks] == ["EMAHook", "mmfastervit.DeployHook"]
    assert HOOKS.build(cfg.custom_hooks[1]).priority == "VERY_HIGH"


@pytest.fixture
def run(tiny_arch):
    """A DeployHook and the runner whose model's only child is a FasterViT."""
    model = nn.Sequential(FasterViT(tiny_arch)).eval()
    runner = SimpleNamespace(model=model, logger=logging.getLogger("test"))
    return HOOKS.build(dict(type="mmfastervit.DeployHook")), runner


def test_the_backbone_is_deployed_for_the_test_and_restored_after_it(run):
    hook, runner = run
    model = runner.model
    original = model[0]
    hook.before_test_iter(runner, 0)
    deployed = model[0]
    assert deployed.deployed
    hook.before_test_iter(runner, 1)
    assert model[0] is deployed
    hook.after_test_epoch(runner, {})
    assert model[0] is original
    assert not original.deployed
    model.train()


def test_a_test_that_failed_loses_nothing(run):
    hook, runner = run
    original = runner.model[0]
    hook.before_test_iter(runner, 0)  # and no end of this test
    hook.before_test_iter(runner, 0)
    hook.after_test_epoch(runner, {})
    assert runner.model[0] is original
    assert not original.deployed


def test_a_model_without_a_backbone_of_ours_is_refused():
    hook = HOOKS.build(dict(type="mmfastervit.DeployHook"))
    runner = SimpleNamespace(model=nn.Sequential(nn.Linear(1, 1)))
    with pytest.raises(ValueError, match=r"nothing to deploy.*--deploy"):
        hook.before_test_iter(runner, 0)
