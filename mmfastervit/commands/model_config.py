"""The config of a model that a command takes by ``--config``, where it may do without one."""

from argparse import Namespace

from mmengine.config import Config

from mmfastervit.engine.options import check_model, load_config


def config_asked(arguments: Namespace) -> Config | None:
    """The config that ``--config`` names, changed by ``--cfg-options``; None without.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: It has no model, or there are changes and no config.
    """
    if arguments.config:
        cfg = load_config(arguments.config, arguments.cfg_options)
        check_model(cfg)
        return cfg
    if arguments.cfg_options:
        raise ValueError("--cfg-options change a config: name it by --config")
    return None
