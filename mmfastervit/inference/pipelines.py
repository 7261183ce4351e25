"""The steps from a picture to what a model takes: a config's own, without files and labels.

The inferencers of mmdet and mmseg replace a step too, but build the data set to do so, which wants
its annotation file, and take arrays of 8 bit and three channels alone.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from mmfastervit.config.mistakes import explain
from mmfastervit.config.tree import leaf_datasets, loads_annotations, type_name

_LOADERS = ("test_dataloader", "val_dataloader")
_IN_PLACE_OF = {"mmdet": "mmdet.LoadImageFromNDArray", "mmseg": "mmseg.LoadImageFromNDArray"}
_VIEWS = ("TestTimeAug", "MultiScaleFlipAug")

Pipeline = Callable[[np.ndarray], dict[str, Any]]


def tested_steps(cfg: Config) -> list[dict]:
    """The transforms that a config tests with, as it has them.

    Raises:
        ValueError: It has none.
    """
    for loader in _LOADERS:
        dataset = (cfg.get(loader) or {}).get("dataset")
        for _, leaf in leaf_datasets(dataset, loader) if isinstance(dataset, dict) else ():
            if leaf.get("pipeline"):
                return copy.deepcopy(list(leaf["pipeline"]))
    if cfg.get("test_pipeline"):
        return copy.deepcopy(list(cfg.test_pipeline))
    raise ValueError(
        "this config does not say how pictures are prepared for the model: it has neither a "
        "pipeline in test_dataloader nor a test_pipeline"
    )


def build_pipeline(cfg: Config, task: str, keep_size: bool = False) -> Pipeline:
    """Build the steps from an image in memory to what ``model.test_step`` takes.

    Args:
        cfg: Config of the model.
        task: ``"det"`` or ``"seg"``.
        keep_size: Leave out the steps that resize, as for pictures that the model takes in tiles.

    Returns:
        A function from an image (H, W, channels) to ``inputs`` and ``data_samples``.

    Raises:
        ValueError: There is no such pipeline, or it can't be built.
    """
    scope = "mmdet" if task == "det" else "mmseg"
    steps = [step for step in tested_steps(cfg) if not loads_annotations(type_name(step["type"]))]
    if views := [type_name(s["type"]) for s in steps if type_name(s["type"]) in _VIEWS]:
        raise ValueError(
            f"the config tests with several views of a picture ({views[0]}); here one is taken: "
            "give a test_dataloader with a plain pipeline"
        )
    first = next((i for i, s in enumerate(steps) if _loads_images(s)), None)
    if first is None:
        raise ValueError("the config's test pipeline has no step that loads an image")
    loaded = dict(type=_IN_PLACE_OF[scope], to_float32=bool(steps[first].get("to_float32", False)))
    steps[first] = loaded
    if keep_size:
        steps = [step for step in steps if "Resize" not in type_name(step["type"])]
    try:
        with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or scope):
            compose = Compose([ConfigDict(step) for step in steps])
    except Exception as error:  # a transform of a zoo may raise anything
        raise ValueError(explain(error, cfg)) from error

    def run(image: np.ndarray) -> dict[str, Any]:
        return compose(dict(img=image, img_id=0))

    return run


def _loads_images(step: dict) -> bool:
    name = type_name(step["type"])
    return name.startswith("Load") and "Image" in name
