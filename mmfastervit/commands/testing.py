"""A test that runs, for the commands that make one."""

from collections.abc import Callable, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook

from mmfastervit.engine import options
from mmfastervit.engine.checkpoint_fit import look_before_test
from mmfastervit.engine.config_mistakes import ConfigMistake, mistakes_told
from mmfastervit.engine.hooks import DeployHook, find_deployable
from mmfastervit.engine.samples import SampleFailed

from .arguments import CommandFailed, WrongRequest, told_as


def run_test(
    cfg: Config,
    allow_partial: bool,
    hooks_for: Callable[[Any], Sequence[Hook]] | None = None,
) -> dict[str, Any]:
    """Test the checkpoint that ``cfg.load_from`` names.

    Args:
        cfg: The config as the Runner will get it.
        allow_partial: Whether a checkpoint that lacks weights of the model will do.
        hooks_for: Gives hooks that see the predictions, for the tested data set.

    Returns:
        The metrics.

    Raises:
        WrongRequest: The run cannot be built, the checkpoint is not that of the model, or the model
            has nothing that could be deployed, as --deploy wants it.
        CommandFailed: A sample could not be loaded.
    """
    with told_as(WrongRequest, ConfigMistake), mistakes_told(cfg):
        runner = options.build_runner(cfg)
    with told_as(WrongRequest, ValueError, FileNotFoundError):
        if any(isinstance(hook, DeployHook) for hook in runner.hooks):
            find_deployable(runner.model)
        look_before_test(runner, cfg.load_from, allow_partial)
    if hooks_for is not None:
        with told_as(WrongRequest, ConfigMistake), mistakes_told(cfg):
            dataset = runner.test_dataloader.dataset
        for hook in hooks_for(dataset):
            runner.register_hook(hook, priority="LOWEST")
    with (
        told_as(CommandFailed, SampleFailed),
        told_as(WrongRequest, ConfigMistake),
        mistakes_told(cfg, runner),
    ):
        return runner.test()
