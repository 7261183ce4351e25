"""A model is opened whole, with names for its classes, or it is an error that says what to do."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from support.opened import CLASSES, KINDS, checkpoint_of, config_of, save

from mmfastervit.inference import open_model


def rewritten(path, kind="det", weights=None, cfg=None, **meta):
    """A copy of a checkpoint with other weights, or other entries in ``meta``; None drops one."""
    content = torch.load(checkpoint_of(kind), weights_only=True)
    changed = {**content["meta"], **meta}
    content["meta"] = {key: value for key, value in changed.items() if value is not None}
    content["state_dict"] = weights or content["state_dict"]
    torch.save(content, path)
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_opened_with_its_weights_and_names(kind):
    found = open_model(config_of(kind), checkpoint_of(kind))
    weights = torch.load(checkpoint_of(kind), weights_only=True)["state_dict"]
    assert found.task == ("seg" if kind == "seg" else "det")
    assert found.classes == CLASSES[kind]
    assert len(found.palette) == len(found.classes)
    assert not found.model.training
    assert found.device == torch.device("cpu")
    ours = found.model.state_dict()
    assert all(torch.equal(value, ours[name]) for name, value in weights.items())


def test_a_config_is_named_by_its_file(tmp_path):
    path = tmp_path / "shapes.json"
    config_of("det").dump(path)
    assert open_model(path, checkpoint_of("det")).name == "shapes"
    with pytest.raises(FileNotFoundError, match="no config"):
        open_model(tmp_path / "no.py", checkpoint_of("det"))


def test_without_a_checkpoint_the_weights_are_drawn():
    found = open_model(config_of("det"), None)
    assert found.classes == CLASSES["det"]
    assert not found.model.training


def test_nothing_that_a_config_starts_from_is_read():
    cfg = config_of("det")
    cfg.model.backbone.init_cfg = dict(type="Pretrained", checkpoint="nowhere.pth")
    open_model(cfg, checkpoint_of("det"))
    open_model(cfg, None)


def test_names_in_the_checkpoint_go_before_those_of_the_config(tmp_path):
    names = ("ring", "box", "wedge")
    path = rewritten(tmp_path / "x.pth", dataset_meta=dict(classes=names))
    assert open_model(config_of("det"), path).classes == names
    path = rewritten(tmp_path / "old.pth", dataset_meta=None, CLASSES=names)
    assert open_model(config_of("det"), path).classes == names


def test_names_of_the_config_stand_in(tmp_path):
    path = rewritten(tmp_path / "x.pth", dataset_meta=None)
    assert open_model(config_of("det"), path).classes == CLASSES["det"]


def test_without_names_it_is_told_how_to_give_them(tmp_path):
    path = rewritten(tmp_path / "x.pth", dataset_meta=None)
    cfg = config_of("seg")
    path = rewritten(tmp_path / "y.pth", "seg", dataset_meta=None)
    for stage in ("train", "val", "test"):
        del cfg[f"{stage}_dataloader"].dataset.metainfo
    with pytest.raises(ValueError, match=r"neither .*y.pth nor the config has names.*metainfo"):
        open_model(cfg, path)


@pytest.mark.parametrize("kind", KINDS)
def test_names_that_are_not_as_many_as_the_heads_classes_are_refused(kind, tmp_path):
    path = rewritten(tmp_path / "x.pth", kind, dataset_meta=dict(classes=("a", "b")))
    count = len(CLASSES[kind])
    with pytest.raises(ValueError, match=rf"2 names of classes \(a, b\).*head.* tells {count}"):
        open_model(config_of(kind), path)


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path):
    weights = torch.load(checkpoint_of("det"), weights_only=True)["state_dict"]
    del weights["bbox_head.retina_cls.weight"]
    path = rewritten(tmp_path / "x.pth", weights=weights)
    with pytest.raises(ValueError, match=r"1 of \d+ learned weights are missing"):
        open_model(config_of("det"), path)


def test_a_checkpoint_of_another_model_is_refused():
    with pytest.raises(ValueError, match="does not fit this EncoderDecoder"):
        open_model(config_of("seg"), checkpoint_of("det"))


def test_a_deployed_model_is_folded():
    found = open_model(config_of("det"), checkpoint_of("det"), deploy=True)
    assert found.model.backbone.stem.deployed


@pytest.mark.parametrize("device", ["gpu", "cuda:77", "meta"])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(ValueError, match=rf"device '{device}'.*cpu"):
        open_model(config_of("det"), None, device)


def changed(**changes) -> Config:
    cfg = config_of("det")
    cfg.merge_from_dict({key.replace("__", "."): value for key, value in changes.items()})
    return cfg


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        (changed(model__type="RetinaNett"), "did you mean 'RetinaNet'"),
        (Config(dict(train_cfg=dict())), "has no model"),
        (changed(model__test_cfg__panoptic_on=True), "instance_on=True"),
        (Config(dict(model=dict(type="mmfastervit.FasterViT", arch="fastervit_0"))), "detectors"),
    ],
)
def test_a_config_of_something_else_is_refused(cfg, message):
    with pytest.raises(ValueError, match=message):
        open_model(cfg, None)


def test_changed_files_are_found_out(tmp_path):
    path = tmp_path / "x.pth"
    content = bytearray(Path(checkpoint_of("det")).read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"changed|not complete|not finite|does not fit"):
        open_model(config_of("det"), str(path))


def test_a_checkpoint_of_averaged_weights_gives_the_averaged(tmp_path):
    """mmengine puts the average under ``state_dict``, and the raw weights beside it."""
    cfg, path = config_of("det"), tmp_path / "ema.pth"
    content = torch.load(checkpoint_of("det"), weights_only=True)
    raw = {f"module.{name}": torch.zeros_like(v) for name, v in content["state_dict"].items()}
    save(path, content["state_dict"], cfg, "det", ema_state_dict=raw)
    weights = open_model(cfg, str(path)).model.state_dict()
    assert all(torch.equal(weights[k], v) for k, v in content["state_dict"].items())
