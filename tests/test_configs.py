"""The recipes say what they should, and their models fit together."""

import copy
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from mmfastervit.archs import ARCHS
from mmfastervit.checkpoint import PUBLISHED

ROOT = Path(__file__).resolve().parents[1]
ALL = sorted((ROOT / "configs").rglob("*.py"))
SCRIPTS = ("hat_study.py",)
EXAMPLES_ALL = [
    path for path in sorted((ROOT / "docs/examples").rglob("*.py")) if path.name not in SCRIPTS
]
EXAMPLES = [path for path in EXAMPLES_ALL if "fastervit" in path.name]
SETTINGS = [path for path in EXAMPLES_ALL if path.name == "bccd_detection.py"]
OWN_NECK = [path for path in EXAMPLES_ALL if "own" in path.name]  # see swap/test_registering.py
CONFIGS = [path for path in ALL if "fastervit" in path.name]
HAT_RECIPES = [path for path in ALL if "-hat_" in path.name]
RECIPES = [path for path in CONFIGS if "shapes" not in path.name]
IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)


def name(path: Path) -> str:
    return path.stem


def read(path: Path) -> Config:
    """A config, read once, for a test to change as it likes."""
    return copy.deepcopy(_read(path))


@cache
def _read(path: Path) -> Config:
    return Config.fromfile(path)


def test_every_config_is_of_a_tested_kind():
    assert [path.name for path in ALL if path not in {*CONFIGS, *HAT_RECIPES}] == []
    assert [
        path.name for path in EXAMPLES_ALL if path not in {*EXAMPLES, *SETTINGS, *OWN_NECK}
    ] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_example_builds_and_its_neck_reads_the_backbone(path):
    cfg = read(path)
    init_default_scope(cfg.default_scope)
    with torch.device("meta"):
        model = MODELS.build(cfg.model)
    assert list(cfg.model.neck.in_channels) == list(model.backbone.out_channels)


@pytest.mark.parametrize("path", CONFIGS, ids=name)
def test_model_builds_and_its_parts_fit(path):
    cfg = read(path)
    init_default_scope(cfg.default_scope)
    with torch.device("meta"):
        model = MODELS.build(cfg.model)
    channels = list(model.backbone.out_channels)
    assert channels == list(ARCHS[cfg.model.backbone.arch].channels)
    reader = cfg.model.get("neck") or cfg.model.decode_head
    assert list(reader.in_channels) == channels
    if "auxiliary_head" in cfg.model:
        head = cfg.model.auxiliary_head
        assert head.in_channels == channels[head.in_index]


@pytest.mark.parametrize("path", CONFIGS, ids=name)
def test_images_are_normalised_as_in_pretraining(path):
    preprocessor = read(path).model.data_preprocessor
    assert {key: preprocessor[key] for key in IMAGENET} == IMAGENET


@pytest.mark.parametrize("path", RECIPES, ids=name)
def test_recipe_starts_from_the_weights_of_its_arch(path):
    cfg = read(path)
    backbone = cfg.model.backbone
    scheme, _, weights = backbone.init_cfg.checkpoint.partition("://")
    assert scheme == "mmfastervit"
    assert PUBLISHED[weights].arch == backbone.arch
    cfg.merge_from_dict({"model.backbone.init_cfg.checkpoint": "mine.pth"})
    assert cfg.model.backbone.init_cfg.checkpoint == "mine.pth"


@pytest.mark.parametrize("path", RECIPES, ids=name)
def test_recipe_is_the_published_one(path):
    cfg = read(path)
    det = path.parent.name == "det"
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == (
        ("AdamW", 1e-4, 0.05) if det else ("AdamW", 6e-5, 0.01)
    )
    assert cfg.optim_wrapper.paramwise_cfg == dict(norm_decay_mult=0.0)
    assert "constructor" not in cfg.optim_wrapper
    assert cfg.auto_scale_lr.base_batch_size == 16
    assert cfg.train_dataloader.batch_size == 2
    assert cfg.custom_imports.imports == ["mmfastervit"]
    sharded = "fsdp" in path.name
    assert ("ShardedRunner" in cfg.get("runner_type", "")) == sharded
    if sharded:
        assert cfg.optim_wrapper.type == "mmfastervit.BFloat16OptimWrapper"
    elif det:
        assert cfg.optim_wrapper.type == "AmpOptimWrapper"
    if det:
        assert cfg.train_cfg.max_epochs == 36
        assert cfg.model.backbone.drop_path_rate == 0.2
        assert [head.num_shared_convs for head in cfg.model.roi_head.bbox_head] == [4, 4, 4]
        assert {head.loss_bbox.type for head in cfg.model.roi_head.bbox_head} == {"GIoULoss"}
    else:
        assert cfg.train_cfg.max_iters == 160000
        assert cfg.model.auxiliary_head.loss_decode.loss_weight == 0.4
        assert cfg.model.decode_head.channels == 512


def test_shapes_configs_name_the_classes_of_the_generator():
    from mmfastervit.datasets.shapes import SHAPE_CLASSES, SHAPE_PALETTE

    det = read(ROOT / "configs/det/cascade-mask-rcnn_fastervit-0_fpn_shapes.py")
    assert tuple(det.metainfo.classes) == SHAPE_CLASSES
    seg = read(ROOT / "configs/seg/upernet_fastervit-0_shapes-256x256.py")
    assert tuple(seg.metainfo.classes) == ("background", *SHAPE_CLASSES)
    assert [tuple(colour) for colour in seg.metainfo.palette[1:]] == list(SHAPE_PALETTE)


@pytest.mark.parametrize("path", HAT_RECIPES, ids=name)
def test_hat_recipe_is_its_hosts_recipe_with_hat(path):
    """Same model otherwise, an optimizer that takes every weight, and stages 2 and 3 plugged."""
    from mmengine.optim import build_optim_wrapper

    cfg = read(path)
    init_default_scope(cfg.default_scope)
    plugged = cfg.model.backbone
    assert plugged.type == "mmfastervit.HATBackbone"
    host = MODELS.build(plugged.backbone)
    model = MODELS.build(cfg.model)
    assert type(model.backbone) is type(host)
    assert plugged.backbone.init_cfg.checkpoint.startswith("https://")
    added = model.backbone.state_dict().keys() - host.state_dict().keys()
    assert {key.split(".")[1] for key in added} == {"2", "3"}
    cfg.optim_wrapper.type = "OptimWrapper"  # mixed precision needs a GPU to be built
    cfg.optim_wrapper.pop("loss_scale", None)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    trained = sum(len(group["params"]) for group in groups)
    assert trained == sum(p.requires_grad for p in model.parameters())


def test_nothing_that_is_shipped_reads_data_beside_the_checkout():
    shipped = [ROOT / name for name in ("mmfastervit", "configs", "tools")]
    files = [
        p for folder in shipped for p in folder.rglob("*") if p.suffix in (".py", ".sh", ".yml")
    ]
    assert [str(p) for p in [*files, *EXAMPLES_ALL] if "../shared" in p.read_text()] == []
