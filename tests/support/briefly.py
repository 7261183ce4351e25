"""The command line for a page's commands on made data: ``python -m support.briefly COMMAND ...``.

What is shorter than as written: a run has one epoch or two iterations, of two images a step, read
in its own process and in full precision; lengths of 100 pixels and more in pipelines and
preprocessors are an eighth, in whole windows of 32. Models, files and everything else are as the
page says.
"""

import sys

from mmengine.config import Config, ConfigDict

from mmfastervit.commands import main
from mmfastervit.config.tree import plain, rebuild
from mmfastervit.engine import options
from support.shrinking import shrink

ITERATIONS = 2
LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")
as_written = options.load_config


def brief(*args, **kwargs) -> Config:
    """The config of a command, for a brief run."""
    cfg = as_written(*args, **kwargs)
    for key in (*LOADERS, "custom_hooks", "tta_pipeline"):
        if cfg.get(key):
            cfg[key] = ConfigDict(dict(x=rebuild(plain(cfg[key]), shrink))).x
    if cfg.model.get("data_preprocessor"):
        cfg.model.data_preprocessor = ConfigDict(
            rebuild(plain(cfg.model.data_preprocessor), shrink)
        )
    for key in LOADERS:
        if cfg.get(key):
            cfg[key].update(num_workers=0, persistent_workers=False)
    if cfg.get("train_dataloader"):
        cfg.train_dataloader.batch_size = 2
    if cfg.get("optim_wrapper", {}).get("type") == "AmpOptimWrapper":
        cfg.optim_wrapper.type = "OptimWrapper"
        cfg.optim_wrapper.pop("loss_scale", None)
        cfg.optim_wrapper.pop("dtype", None)
    loop, hooks = cfg.get("train_cfg") or {}, cfg.get("default_hooks") or {}
    for key, length in (("max_epochs", 1), ("max_iters", ITERATIONS)):
        if loop.get(key):
            loop.update({key: length, "val_interval": length})
            loop.pop("dynamic_intervals", None)
            hooks.checkpoint.interval = length
    return cfg


if __name__ == "__main__":
    for module in (options, *(m for n, m in sys.modules.items() if n.startswith("mmfastervit."))):
        if getattr(module, "load_config", None) is as_written:
            module.load_config = brief
    sys.argv[0] = "mmfastervit"
    main()
