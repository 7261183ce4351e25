"""What of a config makes building a run fail, in one line: the key, and the word that was meant."""

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmfastervit.config.mistakes import explain, told

_OTHER_CHANNELS = re.compile(r"to have (\d+) channels, but got (\d+) channels")
_OF_CONFIGS: tuple[type[Exception], ...] = (
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class ConfigMistake(ValueError):
    """A run could not be built of its config; the message names the key."""


class _Progress(Hook):
    """Notes that all of a run is built, and that its first step is over."""

    priority = "VERY_HIGH"
    has_begun = has_stepped = False

    def before_train(self, runner: Runner) -> None:
        self.has_begun = True

    def after_train_iter(self, *arguments: Any, **named: Any) -> None:
        self.has_stepped = True

    before_test, after_test_iter = before_train, after_train_iter


@contextmanager
def mistakes_told(cfg: Config, runner: Runner | None = None) -> Iterator[None]:
    """Let errors until the end of a run's first step say what of the config is wrong.

    While a run is built any error is the config's, but for those of the machine. In the first step
    those are that a part of the model raises because it gets other maps than it was made for. All
    others, and all that come later, stay as they are.

    Args:
        cfg: The config.
        runner: The run, where it is there already.

    Raises:
        ConfigMistake: The config is wrong.
    """
    progress = _Progress()
    if runner is not None:
        runner.register_hook(progress)
    try:
        yield
    except _OF_CONFIGS as error:
        found = None
        if not progress.has_begun:
            found = None if _is_the_machines(error) else explain(error, cfg)
        elif runner is not None and not progress.has_stepped:
            found = _explain_step(error, runner.model, cfg)
        if found is None:
            raise
        raise ConfigMistake(found) from error


def _explain_step(error: Exception, model: nn.Module, cfg: Config) -> str | None:
    """Say which part of a model gets other maps than it was made for; None for another error."""
    channels = _OTHER_CHANNELS.search(str(error)) if isinstance(error, RuntimeError) else None
    if not (channels or isinstance(error, (AssertionError, IndexError))):
        return None
    names = {module: name for name, module in model.named_modules() if name}
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    inside = [one for one in (frame.f_locals.get("self") for frame in frames) if _in(one, names)]
    if not inside:
        return None
    path = names[inside[-1]].removeprefix("module.").split(".")
    part: Any = cfg.get("model")
    key = ["model"]
    while path and isinstance(part, dict) and isinstance(part.get(path[0]), dict):
        part = part[path[0]]
        key.append(path.pop(0))
    declared = part.get("in_channels") if isinstance(part, dict) else None
    layer = f" in its layer {'.'.join(path)}" if path else ""
    what = told(error)
    if channels:
        what = f"it reads maps of {channels[1]} channels and is given {channels[2]}{layer}"
    setting = f".in_channels={declared}" if declared else ""
    return f"{'.'.join(key)}{setting}: {what}"


def _in(thing: Any, names: dict[nn.Module, str]) -> bool:
    return isinstance(thing, nn.Module) and thing in names


def _is_the_machines(error: Exception) -> bool:
    """Whether an error is of a GPU, its memory or the network, which no config key mends."""
    if not isinstance(error, RuntimeError):
        return False
    return type(error) is not RuntimeError or "CUDA" in str(error)
