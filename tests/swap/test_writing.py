"""The written config says what the swap says, in the words a person would use, or is not there."""

import ast

import pytest
from mmengine.config import Config

from mmfastervit.config.changes import Change
from mmfastervit.config.source import render
from mmfastervit.config.tree import ABSENT
from mmfastervit.swap.planning import Swap
from mmfastervit.swap.writing import config_text, write_config

BASE = """
model = dict(backbone=dict(type='Old', depth=50), neck=[dict(in_channels=[1, 2]), dict(a=1)])
load_from = 'old.pth'
pipe = [dict(type='Load'), dict(type='Normalize', mean=[0, 0, 0])]
train_dataloader = dict(dataset=dict(pipeline=pipe))
"""
CHANGES = (
    Change(("load_from",), "old.pth", None, ""),
    Change(
        ("model", "backbone"),
        {},
        dict(_delete_=True, type="New", arch="fastervit_0", init_cfg=None),
        "",
    ),
    Change(("model", "neck", 0, "in_channels"), [1, 2], [3, 4], ""),
    Change(("model", "data_preprocessor", "std"), ABSENT, [1.5, 2.5, 3.5], ""),
    Change(("train_dataloader", "dataset", "pipeline", 1, "mean"), [0, 0, 0], [1, 2, 3], ""),
)


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "base.py"
    path.write_text(BASE)
    return path


@pytest.fixture
def swap(base):
    return Swap(Config.fromfile(base), CHANGES, (), ("model",))


def test_file_reads_back_as_the_swapped_config_with_all_else_untouched(swap, tmp_path):
    write_config(swap, "base.py", tmp_path / "mine.py", force=False)
    cfg = Config.fromfile(tmp_path / "mine.py")
    assert cfg.model.backbone.to_dict() == dict(type="New", arch="fastervit_0", init_cfg=None)
    assert cfg.model.neck == [dict(in_channels=[3, 4]), dict(a=1)]
    assert cfg.load_from is None
    pipeline = cfg.train_dataloader.dataset.pipeline
    assert [step.type for step in pipeline] == ["Load", "Normalize"]
    assert pipeline[1].mean == [1, 2, 3]


def test_two_pipelines_of_one_data_loader_are_changed_each_for_itself(tmp_path):
    mixed = "train_pipeline = [dict(mean=1)]\ntrain_dataloader = dict(dataset=dict("
    mixed += "pipeline=train_pipeline, dataset=dict(pipeline=[dict(mean=2)])))\n"
    (tmp_path / "base.py").write_text("model = dict(backbone=dict())\n" + mixed)
    outer = ("train_dataloader", "dataset", "pipeline", 0, "mean")
    inner = (*outer[:2], "dataset", *outer[2:])
    changes = (CHANGES[1], Change(outer, 1, 10, ""), Change(inner, 2, 20, ""))
    swap = Swap(Config.fromfile(tmp_path / "base.py"), changes, (), ("model",))
    write_config(swap, "base.py", tmp_path / "mine.py")
    dataset = Config.fromfile(tmp_path / "mine.py").train_dataloader.dataset
    assert (dataset.pipeline[0].mean, dataset.dataset.pipeline[0].mean) == (10, 20)


def test_file_names_what_changes_and_nothing_else(swap):
    text = config_text(swap, "base.py")
    assert "_delete_=True" in text
    assert "neck[0].in_channels = [3, 4]" in text
    assert "train_pipeline[1].mean = [1, 2, 3]" in text
    assert "Load" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_config_that_is_there_is_replaced_only_by_force(swap, tmp_path):
    target = tmp_path / "mine.py"
    target.write_text("precious = 1\n")
    with pytest.raises(ValueError, match="--force"):
        write_config(swap, "base.py", target)
    assert target.read_text() == "precious = 1\n"
    write_config(swap, "base.py", target, force=True)
    assert "precious" not in target.read_text()


@pytest.mark.parametrize("name", ["mine.txt", "nowhere/mine.py"])
def test_a_target_that_cannot_be_a_config_is_an_error(swap, tmp_path, name):
    with pytest.raises(ValueError, match="--out"):
        write_config(swap, "base.py", tmp_path / name)


def test_nothing_is_left_when_the_base_cannot_be_read(swap, tmp_path):
    with pytest.raises(FileNotFoundError):
        write_config(swap, "not_there.py", tmp_path / "mine.py")
    assert [path.name for path in tmp_path.iterdir()] == ["base.py"]


@pytest.mark.parametrize(
    "value",
    [
        {"backbone": dict(lr_mult=0.1), "a.b": [1, (2,)]},
        dict(text='say "hi"', path="C:\\x", nothing=None, number=1e-06, empty=[]),
        [dict(type="A" * 60, x=list(range(20))), dict(type="B" * 60)],
    ],
)
def test_rendered_source_means_the_value(value):
    assert eval(render(value, 0)) == value
    ast.parse(render(value, 0))
