"""Testing with the backbone deployed."""

from collections.abc import Sequence
from copy import deepcopy

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmfastervit.models.backbones import FasterViT
from mmfastervit.models.deployment import deploy
from mmfastervit.models.plugins import HATPlugin
from mmfastervit.models.plugins.replaced import JoinedBlock
from mmfastervit.registry import HOOKS


@HOOKS.register_module()
class DeployHook(Hook):
    """Tests with deployed copies of FasterViT and of HAT in hosts, then puts the originals back.

    In a config: ``custom_hooks = [dict(type='mmfastervit.DeployHook')]``. The copies are made at
    the first batch, when the checkpoint has been loaded and averaged weights are in place, and go
    after the last, before EMAHook swaps its weights again, in whatever order the hooks are called.
    """

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self._originals: dict[str, nn.Module] = {}

    def before_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | Sequence | None = None
    ) -> None:
        """Put deployed copies into the model.

        Raises:
            ValueError: The model has neither a FasterViT nor hierarchical attention put in.
        """
        if batch_idx == 0:
            self._put_back(runner.model)  # what a test that failed has left
            self._originals = originals = find_deployable(runner.model)
            for name, module in deepcopy(originals).items():  # at once: tables stay shared
                runner.model.set_submodule(name, deploy(module))
            runner.logger.info(f"deployed for this test: {', '.join(originals)}")

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | Sequence | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Put the originals back after the last batch, before any hook sees the test's end."""
        if batch_idx == len(runner.test_dataloader) - 1:
            self._put_back(runner.model)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Put the originals back."""
        self._put_back(runner.model)

    def _put_back(self, model: nn.Module) -> None:
        for name, module in self._originals.items():
            model.set_submodule(name, module)
        self._originals = {}


def find_deployable(model: nn.Module) -> dict[str, nn.Module]:
    """Find the modules of a model that a deployed copy can stand for, by name.

    Raises:
        ValueError: There are none.
    """
    found = {
        name: module
        for name, module in model.named_modules()
        if name
        and (
            isinstance(module, (FasterViT, HATPlugin))
            or isinstance(getattr(module, "hat", None), JoinedBlock)
        )
    }
    if not found:
        raise ValueError(
            f"nothing to deploy: this {type(model).__name__} has neither a FasterViT nor "
            "hierarchical attention; leave out --deploy (or the DeployHook)"
        )
    return found
