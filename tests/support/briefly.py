"""The command line for a page's commands on made data: ``python -m support.briefly COMMAND ...``.

What is shorter than as written: a run has two iterations, of two images each, in one process of the
loader; lengths of 100 pixels and more in pipelines and preprocessors are an eighth, in whole windows of
32. Models, files and everything else are as the page says.
"""

import sys

from mmengine.config import Config, ConfigDict
from mmengine.hooks import Hook
from support.shrinking import shrink

from mmfastervit.commands import main
from mmfastervit.config.tree import plain, rebuild
from mmfastervit.engine import options

ITERATIONS = 2
as_written = options.load_config


def load_config(*args, **kwargs) -> Config:
    """The config of a command, for a brief run."""
    return brief(as_written(*args, **kwargs))


def brief(cfg: Config) -> Config:
    for key in ("train_dataloader", "val_dataloader", "test_dataloader", "custom_hooks", "tta_pipeline"):
        if cfg.get(key):
            cfg[key] = ConfigDict(dict(x=rebuild(plain(cfg[key]), shrink))).x
    if cfg.model.get("data_preprocessor"):
        cfg.model.data_preprocessor = ConfigDict(
            rebuild(plain(cfg.model.data_preprocessor), shrink)
        )
    for key in ("train_dataloader", "val_dataloader", "test_dataloader"):
        if cfg.get(key):
            cfg[key].update(num_workers=0, persistent_workers=False)
    if cfg.get("train_dataloader"):
        cfg.train_dataloader.batch_size = 2
    shorten(cfg)
    return cfg


def shorten(cfg: Config) -> None:
    """Two iterations, or two an epoch and the epochs that a page speaks of."""
    loop = cfg.get("train_cfg") or {}
    if loop.get("max_epochs"):
        cfg.custom_hooks = [*(cfg.get("custom_hooks") or []), dict(type=FewSteps)]
        loop.val_interval = loop.max_epochs
        cfg.default_hooks.checkpoint.interval = loop.max_epochs
    elif loop.get("max_iters"):
        loop.update(max_iters=ITERATIONS, val_interval=ITERATIONS)
        cfg.default_hooks.checkpoint.interval = ITERATIONS


class FewSteps(Hook):
    """Starts a run in its last epoch, so that the file it ends with has the name that a page says."""

    def before_train(self, runner) -> None:
        runner.train_loop._epoch = max(runner.train_loop._epoch, runner.max_epochs - 1)


options.load_config = load_config

if __name__ == "__main__":
    sys.argv[0] = "mmfastervit"
    main()
