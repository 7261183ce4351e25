"""The recipes say what they should, and their models fit together."""

import copy
import re
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from timm.layers import DropPath
from timm.models.vision_transformer import LayerScale
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmfastervit.archs import ARCHS
from mmfastervit.checkpoint import PUBLISHED
from mmfastervit.config.tree import plain, walk
from mmfastervit.logs import warnings_only
from mmfastervit.models.layers.positions import PositionMLP

ROOT = Path(__file__).resolve().parents[1]
ALL = [p for p in sorted((ROOT / "configs").rglob("*.py")) if p.parent.name != "_base_"]
SCRIPTS = ("hat_study.py", "recipe_study.py")
EXAMPLES_ALL = [
    path for path in sorted((ROOT / "docs/examples").rglob("*.py")) if path.name not in SCRIPTS
]
EXAMPLES = [path for path in EXAMPLES_ALL if "fastervit" in path.name]
SETTINGS = [path for path in EXAMPLES_ALL if path.name == "bccd_detection.py"]
OWN_NECK = [path for path in EXAMPLES_ALL if "own" in path.name]  # see swap/test_registering.py
CONFIGS = [path for path in ALL if "fastervit" in path.name]
HAT_RECIPES = [path for path in ALL if "-hat_" in path.name]
RECIPES = [path for path in CONFIGS if "shapes" not in path.name]
OWN = [path for path in ALL if path.parent.name == "own"]  # see commands/test_new.py too
WITH_FASTERVIT = [*CONFIGS, *OWN]
PAPERS = [
    path
    for path in RECIPES
    if path.name.startswith("cascade-mask-rcnn")
    or (path.name.endswith("160k_ade20k-512x512.py") and path.name.startswith("upernet"))
]
MULTI_SCALE = [
    path
    for path in ALL
    if path.parent.name == "seg" and re.search("ade20k|voc12|coco-stuff", path.name)
]
CITYSCAPES_SIZE = (2048, 1024)  # of every picture
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
    assert [path.name for path in ALL if path not in {*CONFIGS, *HAT_RECIPES, *OWN}] == []
    assert [
        path.name for path in EXAMPLES_ALL if path not in {*EXAMPLES, *SETTINGS, *OWN_NECK}
    ] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_example_builds_and_its_neck_reads_the_backbone(path):
    cfg = read(path)
    init_default_scope(cfg.default_scope)
    with torch.device("meta"):
        model = MODELS.build(cfg.model)
    reader = cfg.model.get("neck") or cfg.model.decode_head
    assert list(reader.in_channels) == list(model.backbone.out_channels)


def built(cfg: Config) -> nn.Module:
    """The config's model, without memory for its weights."""
    init_default_scope(cfg.default_scope)
    with torch.device("meta"):
        return MODELS.build(cfg.model)


def one_of_each(paths: list[Path]) -> list:
    """Of each method the first recipe in ``make test``, the others in ``make test-all``."""
    methods = [(path.parent.name, path.name.partition("_fastervit")[0]) for path in paths]
    first = [paths[methods.index(method)] for method in dict.fromkeys(methods)]
    return [pytest.param(p, marks=() if p in first else pytest.mark.slow) for p in paths]


@pytest.mark.parametrize("path", one_of_each(WITH_FASTERVIT), ids=name)
def test_model_builds_and_its_parts_fit(path):
    cfg = read(path)
    model = built(cfg)
    backbone = model.backbone
    assert backbone.arch == ARCHS[cfg.model.backbone.arch]
    channels = list(backbone.out_channels)
    readers = ("neck", "panoptic_head", "decode_head")
    reader = next(cfg.model[key] for key in readers if cfg.model.get(key))
    assert list(reader.in_channels) == channels
    if "auxiliary_head" in cfg.model:
        head = cfg.model.auxiliary_head
        assert head.in_channels == channels[head.in_index]
    rate = cfg.model.backbone.get("drop_path_rate", backbone.arch.drop_path_rate)
    rates = [one.drop_prob for one in backbone.modules() if isinstance(one, DropPath)]
    assert max(rates) == pytest.approx(rate)
    check_weight_decay(cfg, model)


def check_weight_decay(cfg: Config, model: nn.Module) -> None:
    """Of the backbone it spares norms, position MLPs, scales, gates and carriers' biases alone."""
    cfg.optim_wrapper.type = "OptimWrapper"  # mixed precision needs a GPU to be built
    cfg.optim_wrapper.pop("loss_scale", None)
    with warnings_only():  # mmengine logs every parameter
        groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert len(decays) == sum(len(group["params"]) for group in groups)
    assert decays.keys() == {id(p) for p in model.parameters() if p.requires_grad}
    # biases and vectors too, where the recipe of the head or host spares them
    flat = cfg.optim_wrapper.paramwise_cfg.get("bias_decay_mult", 1) == 0
    spared = undecayed_of(model.backbone)
    for parameter in model.backbone.parameters():
        is_spared = id(parameter) in spared or (flat and parameter.ndim == 1)
        assert (decays[id(parameter)] == 0) == is_spared


def undecayed_of(backbone: nn.Module) -> set[int]:
    found = set()
    for module in backbone.modules():
        if isinstance(module, (_BatchNorm, nn.LayerNorm, PositionMLP, LayerScale)):
            found |= {id(p) for p in module.parameters()}
        singles = ("gate", "carrier_key_bias", "relative_position_bias_table")  # the last: Swin's
        found |= {id(p) for name, p in module.named_parameters(recurse=False) if name in singles}
    return found


IMAGES_A_STEP = re.compile(r"_(\d+)xb(\d+)-")
LENGTHS = {"1x": 12, "3x": 36, "12e": 12, "36e": 36, "100e": 100}
ITERS = {"20k": 20_000, "80k": 80_000, "160k": 160_000, "50e": 368_750}


@pytest.mark.parametrize("path", [*RECIPES, *HAT_RECIPES], ids=name)
def test_batch_and_length_are_those_of_the_name(path):
    cfg = read(path)
    found = IMAGES_A_STEP.search(path.name)
    gpus, batch = (int(found[1]), int(found[2])) if found else (8, 2)
    assert cfg.train_dataloader.batch_size == batch
    assert cfg.auto_scale_lr.base_batch_size == gpus * batch
    words = re.split("[-_]", path.stem)
    epochs = [length for word, length in LENGTHS.items() if word in words]
    iters = [length for word, length in ITERS.items() if word in words]
    assert [*epochs, *iters] == [cfg.train_cfg.get("max_epochs") or cfg.train_cfg.max_iters]
    schedule = cfg.param_scheduler
    last = schedule[-1] if isinstance(schedule, list) else schedule
    assert last.end == (epochs or iters)[0]


@pytest.mark.parametrize("path", ALL, ids=name)
def test_what_makes_a_run_safe_is_in_each(path):
    cfg = read(path)
    assert cfg.default_hooks.checkpoint.type == "mmfastervit.SafeCheckpointHook"
    kinds = [hook.type for hook in cfg.get("custom_hooks", [])]
    detects = path.parent.name == "det" or path.stem in ("boxes", "masks")
    assert ("NumClassCheckHook" in kinds) == detects


@pytest.mark.parametrize("path", WITH_FASTERVIT, ids=name)
def test_images_are_normalised_as_in_pretraining(path):
    preprocessor = read(path).model.data_preprocessor
    assert {key: preprocessor[key] for key in IMAGENET} == IMAGENET


@pytest.mark.parametrize("path", [*RECIPES, *OWN], ids=name)
def test_recipe_starts_from_the_weights_of_its_arch(path):
    cfg = read(path)
    backbone = cfg.model.backbone
    scheme, _, weights = backbone.init_cfg.checkpoint.partition("://")
    assert scheme == "mmfastervit"
    assert PUBLISHED[weights].arch == backbone.arch
    cfg.merge_from_dict({"model.backbone.init_cfg.checkpoint": "mine.pth"})
    assert cfg.model.backbone.init_cfg.checkpoint == "mine.pth"


@pytest.mark.parametrize("path", PAPERS, ids=name)
def test_recipe_is_the_published_one(path):
    cfg = read(path)
    det = path.parent.name == "det"
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == (
        ("AdamW", 1e-4, 0.05) if det else ("AdamW", 6e-5, 0.01)
    )
    assert "constructor" not in cfg.optim_wrapper
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


@pytest.mark.parametrize("path", MULTI_SCALE, ids=name)
def test_views_are_multiples_of_the_size_of_the_tests(path):
    """As multi-scale figures are made: the zoo takes multiples of the files' own sizes."""
    cfg = read(path)
    resize = next(one for one in cfg.test_pipeline if one.type == "Resize")
    sizes, flips, *_ = cfg.tta_pipeline[-1].transforms
    ratios = [one.scale[1] / resize.scale[1] for one in sizes]
    assert ratios == [0.5, 0.75, 1.0, 1.25, 1.5, 1.75]
    assert [one.scale[0] / resize.scale[0] for one in sizes] == ratios
    assert [one.prob for one in flips] == [0, 1]
    assert all(one.keep_ratio for one in sizes)


def test_one_view_of_every_config_has_the_size_of_its_tests():
    viewed = [path for path in [*ALL, *EXAMPLES] if read(path).get("tta_pipeline")]
    misfits = []
    for path in viewed:
        cfg = read(path)
        (tested,) = resized_to(cfg, cfg.test_dataloader.dataset.pipeline)
        views = resized_to(cfg, cfg.tta_pipeline)
        misfits += [f"{path.name}: {tested} is not in {views}"] if tested not in views else []
    assert misfits == []
    assert {path.parent.name for path in viewed} == {"det", "seg", "own", "bccd", "nuclei"}


def resized_to(cfg: Config, pipeline: list) -> list[tuple[int, int]]:
    """The sizes that a pipeline resizes to; those of files are known of Cityscapes alone."""
    steps = [step for _, step in walk(plain(pipeline)) if isinstance(step, dict)]
    found = []
    for resize in [step for step in steps if step.get("type") == "Resize"]:
        if "scale" in resize:
            found.append(tuple(resize["scale"]))
        else:
            assert cfg.test_dataloader.dataset.type == "CityscapesDataset", "of unknown size"
            found.append(tuple(round(side * resize["scale_factor"]) for side in CITYSCAPES_SIZE))
    return found


def test_views_of_label_maps_are_loaded_and_packed_as_the_tests_are():
    cfg = read(ROOT / "configs/own/labels.py")
    assert cfg.tta_pipeline[0] == cfg.test_pipeline[0]
    after = [one for branch in cfg.tta_pipeline[1].transforms[2:] for one in branch]
    assert after == cfg.test_pipeline[2:]
    sizes = [one.scale for one in cfg.tta_pipeline[1].transforms[0]]
    assert cfg.test_pipeline[1].scale in sizes


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
    check_weight_decay(cfg, model)


def test_nothing_that_is_shipped_reads_data_beside_the_checkout():
    shipped = [ROOT / name for name in ("mmfastervit", "configs", "tools")]
    files = [
        p for folder in shipped for p in folder.rglob("*") if p.suffix in (".py", ".sh", ".yml")
    ]
    assert [str(p) for p in [*files, *EXAMPLES_ALL] if "../shared" in p.read_text()] == []
