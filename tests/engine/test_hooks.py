"""A test run with ``--deploy``: deployed while it lasts, the model untouched afterwards."""

import copy
import logging
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from support.tiny_hosts import build_host
from torch import nn

from mmfastervit import FasterViT, insert_hat
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
    runner = SimpleNamespace(
        model=model, logger=logging.getLogger("test"), test_dataloader=[None] * 2
    )
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


class Learner(BaseModel):
    """A FasterViT that learns something, and says how it was tested."""

    def __init__(self, arch: dict) -> None:
        super().__init__()
        self.backbone = FasterViT(arch, out_indices=(2,), drop_path_rate=0.0)
        self.tested = []

    def forward(self, images: list[torch.Tensor]) -> torch.Tensor:
        return self.backbone(torch.stack(images))[0]

    def train_step(self, images: list[torch.Tensor], optim_wrapper) -> dict:
        optim_wrapper.update_params(loss := self(images).square().mean())
        return dict(loss=loss)

    def test_step(self, images: list[torch.Tensor]) -> list[dict]:
        outputs = self(images)
        self.tested.append((self.backbone.deployed, outputs))
        return [dict(error=0.0) for _ in outputs]


class Images(torch.utils.data.Dataset):
    """Four fixed random images."""

    metainfo: ClassVar = {}

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.randn(3, 32, 48, generator=torch.Generator().manual_seed(index))


class NoError(BaseMetric):
    """Counts the images."""

    def process(self, data_batch: list, data_samples: list[dict]) -> None:
        self.results.extend(data_samples)

    def compute_metrics(self, results: list[dict]) -> dict:
        return dict(images=len(results))


def loader(shuffle: bool) -> dict:
    return dict(
        dataset=Images(), batch_size=2, sampler=dict(type="DefaultSampler", shuffle=shuffle)
    )


@pytest.mark.parametrize("priority", ["VERY_HIGH", "LOWEST"])
@pytest.mark.parametrize("order", [1, -1])
def test_averaged_weights_are_tested_and_given_back(tiny_arch, tmp_path, order, priority):
    """With a real EMAHook in a real Runner, whichever of the two hooks is called first."""
    deploy_hook = dict(type="mmfastervit.DeployHook", priority=priority)
    ema = dict(type="EMAHook", momentum=0.5, update_buffers=True)
    runner = Runner(
        Learner(tiny_arch),
        work_dir=str(tmp_path),
        train_dataloader=loader(shuffle=True),
        train_cfg=dict(by_epoch=False, max_iters=3),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        test_dataloader=loader(shuffle=False),
        test_cfg=dict(),
        test_evaluator=NoError(),
        custom_hooks=[ema, deploy_hook][::order],
        default_hooks=dict(checkpoint=None),
        experiment_name=tmp_path.name,
    )
    runner.train()
    model = runner.model
    trained = copy.deepcopy(model.state_dict())
    averages = next(hook for hook in runner.hooks if hasattr(hook, "ema_model")).ema_model.module
    averaged = copy.deepcopy(averages.state_dict())
    with torch.no_grad():
        expected = averages.eval()([Images()[i] for i in range(2)])
    for _ in range(2):
        runner.test_loop.run()  # runner.test() would begin the averages anew
    assert [deployed for deployed, _ in model.tested] == [True] * 4
    for _, actual in model.tested[::2]:
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
    assert not model.backbone.deployed
    torch.testing.assert_close(dict(model.state_dict()), dict(trained), rtol=0, atol=0)
    torch.testing.assert_close(dict(averages.state_dict()), dict(averaged), rtol=0, atol=0)
    name = "backbone.stem.conv1.weight"
    assert not torch.equal(trained[name], averaged[name])


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_hat_in_a_host_is_deployed_for_the_test(mode):
    host = build_host("mmdet-swin")
    host.eval()  # which returns nothing here
    names = insert_hat(host, mode=mode)
    x = torch.randn(1, 3, 64, 96)
    runner = SimpleNamespace(
        model=nn.Sequential(host), logger=logging.getLogger("test"), test_dataloader=[None]
    )
    before = dict(runner.model.named_modules())
    with torch.no_grad():
        expected = runner.model(x)
    hook = HOOKS.build(dict(type="mmfastervit.DeployHook"))
    hook.before_test_iter(runner, 0)
    window = host.get_submodule(names[-1])
    assert all(m.deployed for m in window.modules() if hasattr(m, "deployed"))
    with torch.no_grad():
        actual = runner.model(x)
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    hook.after_test_iter(runner, 0)
    assert dict(runner.model.named_modules()) == before
    assert not any(m.deployed for m in host.modules() if hasattr(m, "deployed"))
