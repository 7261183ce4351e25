"""A file from anybody describes its model, and nothing of the file's choice is run or read."""

import copy
import json
import sys
from functools import cache

import pytest
import torch
from support.opened import KINDS, checkpoint_of, config_of, opened

from mmfastervit.inference import open_model
from mmfastervit.inference.harmless import check_description
from mmfastervit.inference.published import KEY, VERSION, described_in, write_description
from mmfastervit.inference.publishing import describe

ATTACK = "__import__('os').mkdir('made')"


@cache
def description() -> dict:
    return describe(opened("mask"))


@pytest.fixture
def described(tmp_path, monkeypatch) -> dict:
    """The description of a detector, to be turned to evil; it may not make a folder here."""
    monkeypatch.chdir(tmp_path)
    yield copy.deepcopy(description())
    assert not (tmp_path / "made").exists()
    assert "evil_module" not in sys.modules


def set_at(described: dict, place: str, value) -> None:
    *path, last = place.split(".")
    holder = described
    for key in path:
        holder = holder[int(key)] if key.isdigit() else holder[key]
    holder[int(last) if last.isdigit() else last] = value


def written(described: dict, path) -> str:
    """A file that looks like one of ours."""
    content = torch.load(checkpoint_of("mask"), weights_only=True)
    content["meta"] = {KEY: write_description(described)}
    torch.save(content, path)
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
def test_what_we_write_ourselves_is_harmless(kind):
    check_description(describe(opened(kind)))


ATTACKS = {
    "a function": ("model.type", "os.system"),
    "a builtin": ("model.type", "builtins.eval"),
    "a builtin by its bare name": ("model.type", "eval"),
    "a module of the working directory": ("model.backbone.type", "evil_module.Model"),
    "a module of the working directory, bare": ("model.backbone.type", "evil_module"),
    "a part of this package that is no model": ("model.type", "mmfastervit.files.remove"),
    "a part of torch": ("model.type", "torch.hub.load"),
    "a runner": ("model.type", "mmengine.Runner"),
    "a hook": ("model.type", "mmengine.CheckpointHook"),
    "a suppression that mmcv would evaluate": ("model.test_cfg.rcnn.nms.type", ATTACK),
    "one behind a harmless name": ("model.test_cfg.rpn.nms.type", f"nms if {ATTACK} else nms"),
    "a suppression's name elsewhere": ("model.backbone.type", "nms"),
    "an expression in any other place": ("model.neck.upsample_cfg", dict(mode=ATTACK)),
    "a scope that mmengine would import": ("model._scope_", "evil_module"),
    "a scope inside": ("model.backbone._scope_", "evil_module"),
    "a default scope that mmengine would import": ("default_scope", "evil_module"),
    "a path": ("model.backbone.file", "/etc/passwd"),
    "an address": ("model.backbone.source", "https://evil.example"),
    "an import": ("model.custom_imports", dict(imports=["evil_module"])),
    "a checkpoint to start from": ("model.backbone.checkpoint_path", "evil.pth"),
    "weights of a hub": ("model.backbone.pretrained_model", "evil"),
    "code of a hub": ("model.backbone.trust_remote_code", True),
    "a model of words": ("model.backbone", dict(type="mmdet.BertModel", name="evil")),
    "a type that is no name": ("model.backbone.type", ["FasterViT"]),
    "a key that is no name": ("model.backbone", {"type": "mmfastervit.FasterViT", "a b": 1}),
    "a number to fill the memory with": ("model.roi_head.bbox_head.num_classes", 10**12),
    "a step that runs code": ("test_pipeline.1", dict(type="Albu", transforms=[])),
    "a step of a module": ("test_pipeline.1.type", "evil_module.Step"),
    "no pipeline": ("test_pipeline", []),
    "no model": ("model", None),
    "names that are none": ("classes", [1, 2, 3]),
    "names with control characters": ("classes", ["a\x1b[2J", "b", "c"]),
    "a palette that is none": ("palette", {"a": 1.5}),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_before_anything_is_built(attack, described, tmp_path, monkeypatch):
    (tmp_path / "evil_module.py").write_text("import os; os.mkdir('made')")
    monkeypatch.syspath_prepend(tmp_path)
    set_at(described, *ATTACKS[attack])
    built = []
    monkeypatch.setattr(
        "mmfastervit.inference.opening.build_model", lambda cfg, **options: built.append(cfg)
    )
    with pytest.raises(ValueError, match=r"is not built: .*--config"):
        open_model(None, written(described, tmp_path / "evil.pth"))
    assert not built


def test_mmcv_does_evaluate_what_is_refused(tmp_path, monkeypatch):
    """Why the type of a suppression is looked at: the attack works where nobody looks."""
    from mmcv.ops import batched_nms

    monkeypatch.chdir(tmp_path)
    boxes, scores = torch.tensor([[0.0, 0, 4, 4]]), torch.tensor([0.9])
    with pytest.raises(TypeError):  # None is no function
        batched_nms(boxes, scores, torch.zeros(1), dict(type=ATTACK, iou_threshold=0.5))
    assert (tmp_path / "made").is_dir()


def test_what_a_part_would_start_from_is_dropped(described, tmp_path):
    set_at(described, "model.backbone.init_cfg", dict(type="Pretrained", checkpoint="evil.pth"))
    found = open_model(None, written(described, tmp_path / "x.pth"))
    assert "init_cfg" not in found.cfg.model.backbone
    set_at(described, "model.pretrained", "https://evil.example/weights.pth")
    check_description(described)
    assert described["model"]["pretrained"] is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", json.dumps(dict(version=VERSION)), "[" * 10**5, "{" * 10**6, 7],
    ids=["empty", "cut", "list", "number", "lacking", "deep", "deeper", "int"],
)
def test_a_broken_description_is_told(text, tmp_path):
    with pytest.raises(ValueError, match=r"file.pth.*descri"):
        described_in(dict(meta={KEY: text}), "file.pth")


def test_a_later_version_is_told():
    with pytest.raises(ValueError, match="version 99, and this mmfastervit reads version 1"):
        described_in(dict(meta={KEY: json.dumps(dict(version=99))}), "file.pth")


def test_a_checkpoint_without_a_description_is_told():
    for content in (dict(meta={}), dict(meta=7), {}):
        with pytest.raises(ValueError, match=r"does not say which model it is of.*--config"):
            described_in(content, "file.pth")


@pytest.mark.parametrize("kind", KINDS)
def test_the_config_that_mmengine_keeps_is_read_as_data(kind):
    found = open_model(None, checkpoint_of(kind))
    expected = opened(kind)
    assert found.classes == expected.classes
    ours = found.model.state_dict()
    assert all(torch.equal(ours[k], v) for k, v in expected.model.state_dict().items())


@pytest.mark.parametrize(
    "line",
    [
        "import os; os.mkdir('made')",
        "x = __import__('os').mkdir('made')",
        "x = [1 for _ in (__import__('os').mkdir('made'),)]",
        "x = dict(**__import__('os').mkdir('made'))",
        "def f():\n    pass",
        'x = f\'{__import__("os").mkdir("made")}\'',
        "x = " + "(" * 10**4,
        "x = " + "-" * 10**5 + "1",
        "x = \0",
    ],
    ids=range(9),
)
def test_a_config_of_mmengine_that_is_a_program_is_not_run(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = f"{config_of('det').pretty_text}\n{line}\n"
    with pytest.raises(ValueError, match=r"file.pth holds the text of its config.*--config"):
        described_in(dict(meta=dict(cfg=text)), "file.pth")
    assert not (tmp_path / "made").exists()
