"""``mmfastervit print-config``: what it prints reads back as the config."""

from pathlib import Path

import pytest
from mmengine.config import Config
from support.answers import status_of

from mmfastervit.config.finding import find_config
from mmfastervit.config.tree import plain

RETINANET = "mmfastervit::det/retinanet_fastervit-0_fpn_1x_coco.py"
# What Python's repr, or mmengine's own printing, does not give back.
AWKWARD = r"""
_base_ = "base.py"
numbers = dict(low=float("-inf"), high=float("inf"), none=float("nan"), small=1e-300)
words = dict(quotes='say "no"', both='it\'s "x"', back="a\\b", lines="a\nb", tab="\t", umlaut="ü")
keys = {"a b": 1, 3: 2, (1, 2): 3, "class": 4, "": 5}
empty = dict(a={}, b=[], c=(), d=None, e=dict(f=[{}]))
single = (1,)
nested = [(1, [2, (3,)]), dict(x=[dict(type="A", y=(1.0,))])]
model = dict(type="B", _delete_=True, pretrained=None)
long = ["a word" * 9, "another" * 9, dict(this="that" * 20)]
"""
LAZY = """
from mmengine.config import read_base
from torch.optim import SGD
from mmengine.hooks import CheckpointHook as Hook

with read_base():
    from .lazy_base import *

optim_wrapper = dict(optimizer=dict(type=SGD, lr=0.1), dtype="x")
default_hooks.update(checkpoint=dict(type=Hook, interval=3))
"""


def printed(capsys, *arguments: str) -> str:
    status, said, error = status_of(capsys, "print-config", *arguments)
    assert status == 0, error
    return said


def read_back(text: str, folder: Path) -> Config:
    (folder / "printed.py").write_text(text)
    return Config.fromfile(folder / "printed.py")


def test_a_recipe_reads_back_without_its_bases(tmp_path, capsys):
    text = printed(capsys, RETINANET)
    assert "\n_base_" not in f"\n{text}"
    expected = plain(Config.fromfile(find_config(RETINANET)).to_dict())
    assert read_back(text, tmp_path).to_dict() == expected
    assert max(map(len, text.splitlines())) <= 100


def test_awkward_values_read_back(tmp_path, capsys):
    (tmp_path / "base.py").write_text("model = dict(type='A', gone=1)\nkept = 7\n")
    (tmp_path / "awkward.py").write_text(AWKWARD)
    text = printed(capsys, str(tmp_path / "awkward.py"))
    back = read_back(text, tmp_path).to_dict()
    expected = Config.fromfile(tmp_path / "awkward.py").to_dict()
    assert str(back) == str(expected)  # nan is not equal to itself
    assert back["kept"] == 7
    assert "gone" not in back["model"]


def test_a_config_of_the_other_kind_reads_back_by_names(tmp_path, capsys):
    (tmp_path / "lazy_base.py").write_text("default_hooks = dict(timer=dict(type='Timer'))\n")
    (tmp_path / "lazy.py").write_text(LAZY)
    back = read_back(printed(capsys, str(tmp_path / "lazy.py")), tmp_path)
    assert back.optim_wrapper.optimizer.type == "torch.optim.SGD"
    assert back.default_hooks.checkpoint.type == "mmengine.hooks.CheckpointHook"
    assert back.default_hooks.timer.type == "Timer"
    assert "Hook" not in back, "a name that was imported is no setting"


def test_options_are_applied_and_a_part_is_printed(capsys):
    options = ["--path", "model.neck", "--cfg-options", "model.neck.num_outs=7"]
    neck = eval(printed(capsys, RETINANET, *options))  # of our own printing
    assert neck["num_outs"] == 7
    assert printed(capsys, RETINANET, "--path", "model.neck.in_channels.2") == "512\n"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("model.bakbone", "model has no 'bakbone' (it has type, "),
        ("modle", ", did you mean 'model'?"),
        ("model.neck.in_channels.9", "model.neck.in_channels is a list; take 0 to 2, not '9'"),
        ("model.neck.num_outs.x", "model.neck.num_outs is 5, which has nothing below it"),
    ],
)
def test_a_part_that_is_not_there_is_answered_by_the_nearest(keys, message, capsys):
    status, said, error = status_of(capsys, "print-config", RETINANET, "--path", keys)
    assert (status, said) == (2, "")
    assert message in error


def test_it_is_written_to_a_file_whole(tmp_path, capsys):
    out = tmp_path / "whole.py"
    assert printed(capsys, RETINANET, "--out", str(out)) == ""
    assert Config.fromfile(out).model.type == "RetinaNet"
    status, _, error = status_of(capsys, "print-config", RETINANET, "--out", "x.txt")
    assert status == 2
    assert "ends in .py" in error


def test_the_difference_to_another_config(tmp_path, capsys):
    for name, text in dict(
        old="a = 1\nb = dict(c=[1, 2], d=3)\n", new="b = dict(c=[1, 5], e='x')\na = 1\n"
    ).items():
        (tmp_path / f"{name}.py").write_text(text)
    files = [str(tmp_path / "new.py"), "--diff", str(tmp_path / "old.py")]
    assert printed(capsys, *files) == '~ b.c.1: 2 -> 5\n- b.d = 3\n+ b.e = "x"\n'
    assert printed(capsys, *files, "--path", "a") == "no difference\n"


def test_what_python_cant_say_is_refused(tmp_path, capsys):
    (tmp_path / "odd.py").write_text("import re\nx = re.compile('a')\n_y = dict(z=object())\n")
    status, _, error = status_of(capsys, "print-config", str(tmp_path / "odd.py"))
    assert status in (1, 2)
    assert "can't" in error
