"""ONNX files of parts: any size, checked before they are written, clear words when not possible."""

from pathlib import Path
from runpy import run_path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn

from mmfastervit import FasterViT
from mmfastervit.checkpoint.names import to_published
from mmfastervit.export import MapsOf, build_part, export_part, require_packages, writing

TOOL = Path(__file__).resolve().parents[2] / "tools/export_onnx.py"


@pytest.fixture(scope="module")
def small_arch() -> dict:
    return dict(dim=8, in_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2))


class Detector(nn.Module):
    """A model in parts."""

    def __init__(self, arch: dict, classes: int = 2):
        super().__init__()
        self.backbone = FasterViT(arch) if arch else nn.Conv2d(3, 4, 1)
        self.neck = nn.Conv2d(4, 4, 1)
        self.bbox_head = nn.Linear(4, classes)


@pytest.fixture
def build(small_arch, monkeypatch):
    """Build a part of a detector from a checkpoint."""

    def build(part: str, checkpoint: str, arch: dict | None = small_arch) -> MapsOf:
        monkeypatch.setattr(MODELS, "build", lambda cfg: Detector(arch, classes=5))
        return build_part(Config(dict(model=dict(type="X"))), part, str(checkpoint))

    return build


class Scaled(nn.Module):
    """A module that ONNX Runtime is to be told apart from."""

    factor = 1.0

    def forward(self, images):
        return images * 2, images * self.factor


@pytest.mark.parametrize(
    ("out_indices", "channels"),
    [((2,), 4), pytest.param((0, 1, 2, 3), 3, marks=pytest.mark.slow)],
    ids=["carriers", "whole"],
)
def test_the_backbone_is_exported_for_any_size(out_indices, channels, small_arch, tmp_path):
    torch.manual_seed(0)
    backbone = FasterViT(small_arch, in_channels=channels, out_indices=out_indices)
    seen = []
    assert export_part(MapsOf(backbone).eval(), tmp_path / "b.onnx", report=seen.append) < 1e-4
    assert len({difference.shape for difference in seen}) == 4
    assert {difference.shape[1] for difference in seen} == {channels}
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
        export_part(module, tmp_path / "x.onnx", traced=(1, 4, 4), unseen=())
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_named_with_their_extra(monkeypatch):
    monkeypatch.setattr(writing, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"onnx, onnxscript, onnxruntime.*mmfastervit\[export\]"):
        require_packages()


@pytest.mark.parametrize(
    ("part", "message"),
    [("head", "part must be one of"), ("neck", "has no neck")],
)
def test_parts_that_a_model_has_not_are_refused(part, message, monkeypatch):
    monkeypatch.setattr(MODELS, "build", lambda cfg: nn.Identity())
    with pytest.raises(ValueError, match=message):
        build_part(Config(dict(model=dict(type="X"))), part)


@pytest.mark.parametrize(
    ("has_arch", "kind"),
    [(True, "detector"), (True, "backbone"), (True, "published"), (False, "backbone")],
)
def test_a_backbone_comes_from_files_of_a_detector_and_of_its_own(
    has_arch, kind, build, small_arch, tmp_path
):
    arch = small_arch if has_arch else {}
    detector = Detector(arch)
    weights = detector.backbone.state_dict()
    content = dict(
        detector=detector.state_dict(),  # its head has other classes, its neck is not asked for
        backbone=weights,
        published=to_published(weights) if kind == "published" else None,
    )
    torch.save(dict(state_dict=content[kind]), tmp_path / "x.pth")
    loaded = build("backbone", tmp_path / "x.pth", arch).backbone.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in weights.items())


@pytest.mark.parametrize(
    ("part", "lost", "message"),
    [
        ("neck", "neck.", r"2 of \d+ learned weights are missing \(neck\.weight, neck\.bias\)"),
        ("neck", "backbone.", r"\d\d+ of .* missing \(backbone\.\S+, backbone\.\S+, .*\.\.\.\)"),
        ("neck", "", r"x\.pth holds no weights"),
        ("backbone", "backbone.", "no weights of a FasterViT"),
        ("backbone", "backbone.stages.3.", r"\d+ of .* missing \(backbone\.stages\.3"),
    ],
)
def test_weights_that_the_checkpoint_lacks_are_refused(
    part, lost, message, build, small_arch, tmp_path
):
    weights = Detector(small_arch).state_dict()
    kept = {name: value for name, value in weights.items() if not name.startswith(lost)}
    torch.save(kept, tmp_path / "x.pth")
    with pytest.raises(ValueError, match=message):
        build(part, tmp_path / "x.pth")


def test_weights_of_another_shape_are_refused(build, tmp_path):
    torch.save({"backbone.weight": torch.ones(4, 2, 1, 1)}, tmp_path / "x.pth")
    with pytest.raises(
        ValueError, match=r"does not fit --part .* of another shape \(backbone\.weight"
    ):
        build("backbone", tmp_path / "x.pth", arch={})


@pytest.mark.parametrize(
    ("config", "message"),
    [({}, "has no model"), (dict(model=dict(type="Nobody")), "no model has that name")],
)
def test_configs_without_a_model_are_refused_in_one_line(config, message):
    with pytest.raises(ValueError, match=message) as error:
        build_part(Config(config), "backbone")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "x.onnx", "--size", "64", "64"], "--size is for --part model"),
        (["--out", "x.onnx", "--uint8"], "--uint8 is for --part model"),
        (["--out", "x.onnx", "--check-on", "."], "--check-on is for --part model"),
        (["--out", "x.onnx", "--part", "model", "--size", "0", "64"], "at least 1"),
        (["--out", "."], "is a folder"),
        (["--out", "nowhere/x.onnx"], "no folder nowhere"),
        (["--out", "x.onnx"], "this config has no model"),
        (["--out", "x.onnx", "--cfg-options", "model.type=Nobody"], "no model has that name"),
    ],
)
def test_the_tool_ends_in_one_line(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("config.py").write_text("model = dict()")
    monkeypatch.setattr("sys.argv", ["export_onnx.py", "config.py", *options])
    with pytest.raises(SystemExit) as end:
        run_path(str(TOOL), run_name="__main__")
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
