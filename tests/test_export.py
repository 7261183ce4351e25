"""ONNX files: any size, checked before they are written, and clear words when not possible."""

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmfastervit import FasterViT, export
from mmfastervit.export import MapsOf, build_part, export_onnx, require_packages


@pytest.fixture(scope="module")
def small_arch() -> dict:
    return dict(dim=8, in_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2))


class Scaled(nn.Module):
    """A module that ONNX Runtime is to be told apart from."""

    factor = 1.0

    def forward(self, images):
        return images * 2, images * self.factor


def test_the_backbone_is_exported_for_any_size(small_arch, tmp_path):
    torch.manual_seed(0)
    module = MapsOf(FasterViT(small_arch)).eval()
    seen = []
    assert export_onnx(module, tmp_path / "b.onnx", report=seen.append) < 1e-4
    assert len({difference.shape for difference in seen}) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["b.onnx"]


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (1.01, r"9\.9e-03 .*is not written"),
        (float("nan"), "nan .*is not written"),
        (torch.ones(2, 1, 1, 1), r"\(2, 3, 4, 4\).*is not written"),  # broadcasts
    ],
    ids=["value", "not-a-number", "shape"],
)
def test_a_difference_in_a_later_output_leaves_no_file(factor, message, tmp_path, monkeypatch):
    module = Scaled()
    save = torch.onnx.ONNXProgram.save

    def save_then_change(program, path):
        save(program, path)
        module.factor = factor

    monkeypatch.setattr(torch.onnx.ONNXProgram, "save", save_then_change)
    with pytest.raises(ArithmeticError, match=message):
        export_onnx(module, tmp_path / "x.onnx", shape=(1, 3, 4, 4), unseen=())
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_named_with_their_extra(monkeypatch):
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"onnx, onnxscript, onnxruntime.*mmfastervit\[export\]"):
        require_packages()


@pytest.mark.parametrize(
    ("part", "message"),
    [("head", "part must be one of"), ("neck", "has no neck"), ("model", "of segmentors only")],
)
def test_parts_that_a_model_has_not_are_refused(part, message, monkeypatch):
    monkeypatch.setattr(export.MODELS, "build", lambda cfg: nn.Identity())
    with pytest.raises(ValueError, match=message):
        build_part(Config(dict(model=dict(type="X"))), part)
