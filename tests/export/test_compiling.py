"""Compiled files: what runs them agrees with the model; what can not be compiled is said before."""

import subprocess
import sys

import pytest
import torch
from support.answers import status_of
from support.little_detectors import saved
from torch import nn

from mmfastervit.export import Refused
from mmfastervit.export.compiling import require_compiler, trace_to_compile
from mmfastervit.export.formats import COMPILED, ONNX, format_of
from mmfastervit.export.operators import kept_by_nms

LOADED_BY_TORCH_ALONE = """
import sys, torch
model = torch._inductor.aoti_load_package(sys.argv[1])
for shape in ((1, 3, 96, 160), (2, 3, 250, 330)):
    print([tuple(m.shape) for m in model(torch.randn(shape))])
assert "mmfastervit" not in sys.modules
"""


class Suppressed(nn.Module):
    def forward(self, boxes):
        return (kept_by_nms(boxes[..., :4], boxes[..., 4], 0.5, 0.0, 3),)


def test_the_name_says_what_a_file_is(tmp_path):
    assert format_of(tmp_path / "x.pt2") is COMPILED
    assert format_of(tmp_path / "x.onnx") is ONNX


def test_without_a_compiler_it_is_said_what_to_do(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ValueError, match=r"no compiler 'no-such-compiler': install .* CXX"):
        require_compiler()
    (tmp_path / "config.py").write_text("model = dict()")
    status, _, errors = status_of(
        capsys, "export", str(tmp_path / "config.py"), "--out", str(tmp_path / "x.pt2")
    )
    assert status == 2
    assert "no compiler 'no-such-compiler'" in errors


def test_operators_that_a_file_cannot_have_are_refused_by_name():
    with pytest.raises(Refused, match=r"needs kept_by_nms, .* export it as .onnx"):
        trace_to_compile(Suppressed(), torch.rand(1, 5, 5), ())


@pytest.mark.slow
def test_a_backbone_is_compiled_for_any_size_and_torch_alone_loads_it(tmp_path, capsys):
    config, checkpoint = saved("retinanet", tmp_path)
    out = tmp_path / "backbone.pt2"
    status, told, errors = status_of(
        capsys, "export", str(config), str(checkpoint), "--out", str(out)
    )
    assert status == 0, errors
    assert told.count("AOTInductor differs by") == 4
    command = [sys.executable, "-c", LOADED_BY_TORCH_ALONE, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert "(1, 8, 24, 40)" in done.stdout


@pytest.mark.slow
def test_a_whole_segmentor_is_compiled(tmp_path, capsys):
    config, checkpoint = saved("segformer", tmp_path)
    out = tmp_path / "model.pt2"
    status, told, errors = status_of(
        capsys, "export", str(config), str(checkpoint), "--part", "model", "--uint8",
        "--one-size", "--size", "64", "96", "--out", str(out),
    )  # fmt: skip
    assert status == 0, errors
    assert "64x96 pixels" in told
    pictures = torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8)
    assert COMPILED.open(out)(pictures.numpy())["classes"].shape == (2, 64, 96)
