"""A test that runs, for the commands that make one."""

from collections.abc import Callable, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook

from mmfastervit.checkpoint.fitting import unwrapped
from mmfastervit.engine import options
from mmfastervit.engine.checkpoint_fit import look_before_test
from mmfastervit.engine.config_mistakes import ConfigMistake, mistakes_told
from mmfastervit.engine.hooks import DeployHook, find_deployable
from mmfastervit.engine.samples import SampleFailed
from mmfastervit.runtimes import DoesNotFit, FileModel
from mmfastervit.runtimes.bfloat16 import compute_in_bfloat16

from .arguments import CommandFailed, WrongRequest, told_as


def run_test(
    cfg: Config,
    allow_partial: bool,
    hooks_for: Callable[[Any], Sequence[Hook]] | None = None,
    precision: str = "fp32",
) -> dict[str, Any]:
    """Test the checkpoint that ``cfg.load_from`` names, or the file that stands for the model.

    Args:
        cfg: The config as the Runner will get it.
        allow_partial: Whether a checkpoint that lacks weights of the model will do.
        hooks_for: Gives hooks that see the predictions, for the tested data set.
        precision: ``"bf16"`` lets torch compute a model in it; a file has its own by its config.

    Returns:
        The metrics.

    Raises:
        WrongRequest: The run cannot be built, the checkpoint is not that of the model, or the model
            has nothing that could be deployed, as --deploy wants it.
        CommandFailed: A sample could not be loaded, or is none that the file takes.
    """
    with told_as(WrongRequest, ConfigMistake), mistakes_told(cfg):
        runner = options.build_runner(cfg)
    with told_as(WrongRequest, ValueError, FileNotFoundError):
        if any(isinstance(hook, DeployHook) for hook in runner.hooks):
            find_deployable(runner.model)
        if cfg.load_from is not None:
            look_before_test(runner, cfg.load_from, allow_partial)
    if precision == "bf16" and not isinstance(runner.model, FileModel):
        compute_in_bfloat16(unwrapped(runner.model))
    if hooks_for is not None:
        with told_as(WrongRequest, ConfigMistake), mistakes_told(cfg):
            dataset = runner.test_dataloader.dataset
        for hook in hooks_for(dataset):
            runner.register_hook(hook, priority="LOWEST")
    with (
        told_as(CommandFailed, SampleFailed, DoesNotFit),
        told_as(WrongRequest, ConfigMistake),
        mistakes_told(cfg, runner),
    ):
        return runner.test()
