"""Every recipe trains, evaluates and goes on, on made data in the form of its own.

What is made smaller, of all alike: backbones have one block a stage; lengths of 100 pixels and more
in the pipelines and the preprocessor are an eighth, in whole windows of 32; batches are of two
images, runs of two iterations; DINO's queries, more than there are places on such maps, are 30;
regions that detectors propose, sample and keep are an eighth. Heads stay as they are.
"""

from dataclasses import asdict
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config, ConfigDict
from support.made_data import IMAGES, make
from support.segments import LoadSegmentAnnotations
from support.shrinking import shrink

from mmfastervit.archs import ARCHS
from mmfastervit.config.tree import leaf_datasets, plain, rebuild
from mmfastervit.engine import options
from mmfastervit.engine.preflight import check_inputs

ROOT = Path(__file__).resolve().parents[1]
RECIPES = [
    path
    for folder in ("det", "seg")
    for path in sorted((ROOT / "configs" / folder).glob("*.py"))
    if "shapes" not in path.name
]
PANOPTIC = [path for path in RECIPES if "panoptic" in path.name]
BATCH = 2
REGIONS = ("nms_pre", "max_per_img", "num")  # numbers of regions in train_cfg and test_cfg


def shrunk(path: Path, folder: Path) -> Config:
    """The recipe for two iterations of a small model."""
    cfg = options.load_config(str(path), {}, str(folder / "work"), "none")
    for key in ("train_dataloader", "val_dataloader", "test_dataloader", "custom_hooks"):
        if key in cfg:
            cfg[key] = ConfigDict(dict(x=rebuild(plain(cfg[key]), shrink))).x
    cfg.model.data_preprocessor = ConfigDict(rebuild(plain(cfg.model.data_preprocessor), shrink))
    cfg.model.test_cfg = ConfigDict(rebuild(plain(cfg.model.test_cfg), shrink))
    for key in ("train_cfg", "test_cfg"):
        if cfg.model.get(key):
            cfg.model[key] = fewer_regions(cfg.model[key])
    backbone = cfg.model.backbone
    if "arch" in backbone and backbone.get("type") == "mmfastervit.FasterViT":
        backbone.arch = {**asdict(ARCHS[backbone.arch]), "depths": (1, 1, 1, 1)}
        backbone.init_cfg = None
    else:
        backbone.backbone.init_cfg = None
    if "num_queries" in cfg.model:
        cfg.model.num_queries = 30
    cfg.optim_wrapper.type = "OptimWrapper"
    cfg.optim_wrapper.pop("loss_scale", None)
    cfg.pop("runner_type", None)
    cfg.train_dataloader.update(batch_size=BATCH, num_workers=0, persistent_workers=False)
    for key in ("val_dataloader", "test_dataloader"):
        cfg[key].update(batch_size=1, num_workers=0, persistent_workers=False)
    cfg.train_cfg.pop("dynamic_intervals", None)
    set_length(cfg, 1)
    cfg.default_hooks.checkpoint.interval = 1
    options.set_randomness(cfg, 0, False)
    return cfg


def fewer_regions(part: Any) -> Any:
    """A detector's ``train_cfg`` or ``test_cfg`` with an eighth of the regions."""
    if isinstance(part, (list, tuple)):
        return type(part)(map(fewer_regions, part))
    if not isinstance(part, dict):
        return part
    return ConfigDict(
        (key, value // 8 if key in REGIONS and value >= 100 else fewer_regions(value))
        for key, value in part.items()
    )


def set_length(cfg: Config, times: int) -> None:
    """Let the run have ``times`` epochs, or twice as many iterations."""
    if cfg.train_cfg.get("max_epochs"):
        cfg.train_cfg.update(max_epochs=times, val_interval=1)
    else:
        cfg.train_cfg.update(max_iters=2 * times, val_interval=2)


def needing(path: Path):
    """A recipe; mmdet reads and measures panoptic maps by a package that no registry has."""
    missing = path in PANOPTIC and find_spec("panopticapi") is None
    reason = "panopticapi, from https://github.com/cocodataset/panopticapi, is not installed"
    return pytest.param(path, marks=pytest.mark.skipif(missing, reason=reason))


def name_run(cfg: Config, name: str) -> None:
    """Name a run and what it draws by: mmengine shares both between runs of one name."""
    cfg.experiment_name = cfg.visualizer.name = name


@pytest.mark.slow
@pytest.mark.parametrize("path", map(needing, RECIPES), ids=lambda path: path.stem)
def test_recipe_trains_evaluates_and_goes_on(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = shrunk(path, tmp_path)
    read = leaf_datasets(plain(cfg.train_dataloader.dataset), "")
    for data_root in {dataset["data_root"] for _, dataset in read}:
        make(tmp_path, data_root)
    check_inputs(cfg, "train")
    name_run(cfg, f"{path.stem}-first")
    first = options.build_runner(cfg)
    first.train()
    done = first.iter
    assert done >= IMAGES // BATCH
    assert first.message_hub.log_scalars, "nothing was logged"
    metrics = [name for name in first.message_hub.log_scalars if name.startswith("val/")]
    assert any("mAP" in name or "mIoU" in name or "PQ" in name for name in metrics), metrics

    again = shrunk(path, tmp_path)
    set_length(again, 2)
    options.set_resume(again, "auto")
    name_run(again, f"{path.stem}-again")
    second = options.build_runner(again)
    second.train()
    assert second.iter == 2 * done


@pytest.mark.slow
@pytest.mark.parametrize("path", PANOPTIC, ids=lambda path: path.stem)
def test_panoptic_recipe_trains_without_the_package(path, tmp_path, monkeypatch):
    """Two iterations, all but the loader of the labels as in the recipe; nothing is evaluated."""
    monkeypatch.chdir(tmp_path)
    cfg = shrunk(path, tmp_path)
    make(tmp_path, cfg.train_dataloader.dataset.data_root)
    check_inputs(cfg, "train")
    pipeline = cfg.train_dataloader.dataset.pipeline
    (place,) = [i for i, step in enumerate(pipeline) if step.type == "LoadPanopticAnnotations"]
    pipeline[place] = dict(type=LoadSegmentAnnotations.__name__)
    for stage in ("val", "test"):
        for part in ("dataloader", "evaluator", "cfg"):
            cfg[f"{stage}_{part}"] = None
    name_run(cfg, path.stem)
    runner = options.build_runner(cfg)
    runner.train()
    assert runner.iter == 2
    losses = runner.message_hub.log_scalars
    for part in ("loss_cls", "loss_mask", "loss_dice"):
        assert isfinite(losses[f"train/{part}"].current())
    found = runner.train_dataloader.dataset[0]["data_samples"]
    assert set(found.gt_instances.labels.tolist()) <= {0, 1, 2}  # as they were made
    assert set(found.gt_sem_seg.sem_seg.unique().tolist()) <= {0, 1, 2, 80, 255}
