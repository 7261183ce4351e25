"""Building the model of a config, to export it or a part of it."""

import copy
from typing import Any

from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope

from mmfastervit.config.mistakes import explain


def build_model(cfg: Config) -> Any:
    """Build the model of a config.

    Raises:
        ValueError: The config has no model, or one that cannot be built.
    """
    if not cfg.get("model"):
        raise ValueError("this config has no model")
    init_default_scope(cfg.get("default_scope", "mmengine"))
    part = copy.deepcopy(cfg.model)
    if cfg.get("data_preprocessor"):  # the Runner puts it there too
        part.setdefault("data_preprocessor", copy.deepcopy(cfg.data_preprocessor))
    try:
        return revert_sync_batchnorm(MODELS.build(part))
    except Exception as error:  # a config is a program, and a model of a zoo may raise anything
        raise ValueError(explain(error, cfg)) from error
