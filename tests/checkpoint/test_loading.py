"""Any file of a FasterViT loads whole or says why not."""

import copy
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import load_checkpoint
from safetensors.torch import save_file
from support.checkpoints import add_extras, learned, on_meta, prefixed, same
from torch import nn

from mmfastervit import FasterViT
from mmfastervit.checkpoint import load_backbone, load_weights
from mmfastervit.checkpoint.content import find_backbone
from mmfastervit.checkpoint.loading import check_fit
from mmfastervit.checkpoint.names import from_published, to_published


def by_init_cfg(model: nn.Module, path: Path) -> None:
    model.init_cfg = dict(type="Pretrained", checkpoint=str(path))
    model.init_weights()


def by_load_checkpoint(model: nn.Module, path: Path) -> None:
    load_checkpoint(model, str(path))


WAYS = pytest.mark.parametrize("load", [by_init_cfg, by_load_checkpoint])


@WAYS
@pytest.mark.parametrize(
    ("key", "prefix"),
    [
        (None, ""),
        (None, "module.encoder."),
        ("model", "module."),
        ("model", "encoder."),
        ("state_dict", "backbone."),
    ],
)
@pytest.mark.parametrize("names", ["published", "ours"])
def test_files_load_whatever_wraps_them(
    tmp_path, tiny, tiny_published, tiny_arch, load, key, prefix, names
):
    weights = prefixed(tiny_published if names == "published" else tiny.state_dict(), prefix)
    timm = dict(epoch=1, arch="any", args=Namespace(lr=0.1), metric=np.float64(0.5))
    torch.save({key: weights, **timm} if key else weights, tmp_path / "file.pth.tar")
    model = FasterViT(tiny_arch)
    load(model, tmp_path / "file.pth.tar")
    assert same(learned(model), learned(tiny))


def test_published_file_of_the_reference_loads(tmp_path, published):
    torch.save(dict(state_dict=prefixed(published, "module.")), tmp_path / "fastervit_0.pth.tar")
    model = FasterViT("fastervit_0")
    load_checkpoint(model, str(tmp_path / "fastervit_0.pth.tar"))
    assert same(learned(model), from_published(published)[0])


@WAYS
@pytest.mark.parametrize("names", ["published", "ours"])
def test_safetensors_load(tmp_path, tiny, tiny_arch, load, names):
    weights = tiny.state_dict() if names == "ours" else to_published(tiny.state_dict())
    save_file({k: v.clone() for k, v in weights.items()}, tmp_path / "file.safetensors")
    model = FasterViT(tiny_arch)
    load(model, tmp_path / "file.safetensors")
    assert same(learned(model), learned(tiny))


@WAYS
def test_backbone_of_a_detectors_training_checkpoint_loads(tmp_path, tiny, tiny_arch, load):
    parts = {"neck.weight": torch.ones(1), "rpn_head.weight": torch.ones(1)}
    checkpoint = dict(
        meta=dict(epoch=12, cfg="model = ..."),
        state_dict=prefixed(tiny.state_dict(), "backbone.") | parts,
        message_hub=dict(log_scalars={"train/loss": HistoryBuffer([1.0], [1])}),
        optimizer=dict(state={}, param_groups=[]),
        best=np.float32(0.5),
    )
    torch.save(checkpoint, tmp_path / "epoch_12.pth")
    model = FasterViT(tiny_arch)
    load(model, tmp_path / "epoch_12.pth")
    assert same(model.state_dict(), tiny.state_dict())
    report = load_backbone(model, tmp_path / "epoch_12.pth")
    assert "2 of other parts: neck, rpn_head" in str(report)


def test_published_names_inside_a_detector_load(tmp_path, tiny, tiny_published, tiny_arch):
    torch.save(dict(state_dict=prefixed(tiny_published, "backbone.")), tmp_path / "detector.pth")
    detector = nn.ModuleDict(dict(backbone=FasterViT(tiny_arch), neck=nn.Linear(1, 1)))
    load_checkpoint(detector, str(tmp_path / "detector.pth"))
    assert same(learned(detector["backbone"]), learned(tiny))


def test_a_copied_model_loads_published_names_into_itself(tiny, tiny_published, tiny_arch):
    model = FasterViT(tiny_arch)
    before = copy.deepcopy(model.state_dict())
    copied = copy.deepcopy(model)
    copied.load_state_dict(tiny_published, strict=False)
    assert same(learned(copied), learned(tiny))
    assert same(model.state_dict(), before)


def test_loading_leaves_the_callers_state_dict_alone(tiny_published, tiny_arch):
    names = list(tiny_published)
    FasterViT(tiny_arch).load_state_dict(tiny_published, strict=False)
    assert list(tiny_published) == names


def test_named_prefix_in_init_cfg_chooses_the_backbone(tmp_path, tiny, tiny_arch):
    other = {k: torch.zeros_like(v) for k, v in tiny.state_dict().items()}
    torch.save(
        prefixed(other, "backbone.") | prefixed(tiny.state_dict(), "student.backbone."),
        tmp_path / "two.pth",
    )
    init_cfg = dict(type="Pretrained", checkpoint=str(tmp_path / "two.pth"), prefix="student")
    model = FasterViT(tiny_arch, init_cfg=init_cfg)
    model.init_weights()
    assert same(model.state_dict(), tiny.state_dict())


def test_pretrained_weights_win_over_other_initialisation(tmp_path, tiny, tiny_arch):
    torch.save(tiny.state_dict(), tmp_path / "own.pth")
    pretrained = dict(type="Pretrained", checkpoint=str(tmp_path / "own.pth"))
    model = FasterViT(
        tiny_arch, init_cfg=[pretrained, dict(type="Constant", layer="Conv2d", val=0.5)]
    )
    model.init_weights()
    assert same(model.state_dict(), tiny.state_dict())
    assert model.init_cfg[0] == pretrained


def test_misspelt_key_in_init_cfg_is_an_error(tiny):
    tiny.init_cfg = dict(type="Pretrained", checkpoint="file.pth", trust=True)
    with pytest.raises(TypeError, match="unexpected keyword argument 'trust'"):
        tiny.init_weights()


@pytest.mark.parametrize("size", [(224, 224), (65, 130)])
def test_loaded_weights_serve_any_size(tiny_published, tiny_arch, size):
    model = FasterViT(tiny_arch).eval()
    load_weights(model, tiny_published, "file")
    with torch.no_grad():
        assert all(torch.isfinite(m).all() for m in model(torch.randn(1, 3, *size)))


def test_report_accounts_for_every_tensor(published):
    content = find_backbone({**published, "ema.decay": torch.ones(1)}, "f")
    report = check_fit(on_meta("fastervit_0"), content, "f")
    assert report.archs == ("fastervit_0",)
    assert (report.loaded, report.total) == (399, 407)
    assert report.loaded + sum(map(len, report.dropped.values())) == len(published)
    assert len(report.missing) == 8
    assert all(name.startswith("out_norms.") for name in report.missing)
    assert str(report) == (
        "f: fastervit_0, 399 of 407 parameters loaded; missing: 8 (out_norms.0.weight, "
        "out_norms.0.bias, out_norms.1.weight, ...); unexpected: 1 (ema.decay); dropped: "
        "68 derived tables, 2 second copies, 7 classifier"
    )


@pytest.mark.parametrize("strict", [True, False])
def test_translation_on_load_is_logged_once(monkeypatch, tiny_published, tiny_arch, strict):
    lines = []
    monkeypatch.setattr(
        "mmfastervit.checkpoint.loading.print_log", lambda line, logger: lines.append(line)
    )
    FasterViT(tiny_arch, out_norm=None).load_state_dict(tiny_published, strict=strict)
    assert len(lines) == 1
    assert "custom arch, 151 of 151 parameters loaded" in lines[0]


def test_own_names_are_loaded_by_torch_without_a_word(monkeypatch, tiny, tiny_arch):
    monkeypatch.setattr("mmfastervit.checkpoint.loading.print_log", pytest.fail)
    FasterViT(tiny_arch).load_state_dict(tiny.state_dict())


def test_entries_that_are_no_tensors_are_reported(tiny):
    report = load_weights(tiny, {**tiny.state_dict(), "epoch": 3}, "file")
    assert report.dropped == {"no tensors": ["epoch"]}


@pytest.mark.parametrize("names", ["published", "ours"])
def test_stages_that_are_not_built_are_dropped_and_reported(tiny, tiny_published, tiny_arch, names):
    model = FasterViT(tiny_arch, out_indices=(0, 1))
    report = load_weights(model, tiny_published if names == "published" else tiny.state_dict(), "f")
    assert same(learned(model), {k: v for k, v in learned(tiny).items() if k in learned(model)})
    stages = {name[:8] for name in report.dropped["of parts not built"] if name[0] == "s"}
    assert stages == {"stages.2", "stages.3"}


def test_foreign_file_is_an_error(tmp_path, tiny):
    resnet = {"conv1.weight": torch.ones(1), "layer1.0.bn1.weight": torch.ones(1)}
    torch.save(resnet, tmp_path / "resnet.pth")
    before = copy.deepcopy(tiny.state_dict())
    with pytest.raises(ValueError, match=r"holds no weights of a FasterViT.*\(conv1\.weight, lay"):
        by_init_cfg(tiny, tmp_path / "resnet.pth")
    assert same(tiny.state_dict(), before)


@pytest.mark.parametrize("name", ["conv1.weight", "layer1.0.bn1.weight"])
def test_foreign_weights_are_missing_and_unexpected_to_load_state_dict(tiny, name):
    before = copy.deepcopy(tiny.state_dict())
    keys = tiny.load_state_dict({name: torch.ones(1)}, strict=False)
    assert keys.unexpected_keys == [name]
    assert set(keys.missing_keys) == {n for n in before if not n.endswith("num_batches_tracked")}
    with pytest.raises(RuntimeError, match="Missing key"):
        tiny.load_state_dict({name: torch.ones(1)})
    assert same(tiny.state_dict(), before)


def test_detector_with_a_foreign_backbone_is_warned_of(tmp_path, tiny, monkeypatch):
    lines = []
    monkeypatch.setattr(
        "mmfastervit.checkpoint.loading.print_log", lambda line, **_: lines.append(line)
    )
    torch.save({"backbone.conv1.weight": torch.ones(1)}, tmp_path / "detector.pth")
    detector = nn.ModuleDict(dict(backbone=tiny))
    load_checkpoint(detector, str(tmp_path / "detector.pth"))
    assert "below 'backbone.' holds no weights of a FasterViT" in lines[0]


@pytest.mark.parametrize("names", ["published", "ours"])
def test_missing_learned_weight_is_an_error(tmp_path, tiny, tiny_published, names):
    weights = tiny_published if names == "published" else tiny.state_dict()
    lost = next(name for name in weights if name.endswith("mlp.fc1.bias"))
    del weights[lost]
    torch.save(weights, tmp_path / "partial.pth")
    with pytest.raises(ValueError, match=r"1 missing \(stages\.2\.blocks\.0\.\w+\.mlp\.fc1\.bias"):
        by_init_cfg(tiny, tmp_path / "partial.pth")


@pytest.mark.parametrize("names", ["published", "ours"])
def test_strict_decides_on_part_of_the_weights(tiny, tiny_arch, monkeypatch, names):
    lines = []
    monkeypatch.setattr(
        "mmfastervit.checkpoint.loading.print_log", lambda line, **_: lines.append(line)
    )
    model = FasterViT(tiny_arch)
    part = {k: v for k, v in tiny.state_dict().items() if k.startswith("stem.")}
    given = part if names == "ours" else to_published(part)
    keys = model.load_state_dict(given, strict=False)
    lacking = model.state_dict().keys() - part.keys()  # torch makes up counters of batches
    assert set(keys.missing_keys) == {n for n in lacking if not n.endswith("num_batches_tracked")}
    assert "missing: 1" in lines[0]
    assert torch.equal(model.stem.conv1.weight, tiny.stem.conv1.weight)
    with pytest.raises(RuntimeError, match="Missing key"):
        model.load_state_dict(given)


@pytest.mark.parametrize("names", ["published", "ours"])
def test_strict_decides_on_weights_of_no_place(tiny, tiny_published, tiny_arch, names):
    given = tiny_published if names == "published" else dict(tiny.state_dict())
    given["stages.2.adapter" if names == "ours" else "levels.2.adapter"] = torch.ones(1)
    model = FasterViT(tiny_arch, out_norm=None if names == "published" else "LN")
    keys = model.load_state_dict(given, strict=False)
    assert (len(keys.missing_keys), len(keys.unexpected_keys)) == (0, 1)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        model.load_state_dict(given)


def test_detector_takes_part_of_published_weights(tmp_path, tiny, tiny_published, tiny_arch):
    part = {k: v for k, v in tiny_published.items() if k.startswith("levels.0.")}
    torch.save(prefixed(part, "backbone."), tmp_path / "part.pth")
    detector = nn.ModuleDict(dict(backbone=FasterViT(tiny_arch)))
    load_checkpoint(detector, str(tmp_path / "part.pth"))
    name = "stages.0.blocks.0.conv1.weight"
    assert torch.equal(detector["backbone"].get_parameter(name), tiny.get_parameter(name))


def test_loading_hooks_ask_for_no_state_dict(tiny, tiny_published, tiny_arch, monkeypatch):
    monkeypatch.setattr(FasterViT, "state_dict", pytest.fail)  # gathers, where it is sharded
    model = FasterViT(tiny_arch)
    model.load_state_dict(tiny_published, strict=False)
    load_weights(model, tiny_published, "file")
    assert torch.equal(model.stem.conv1.weight, tiny.stem.conv1.weight)


@pytest.mark.parametrize("init", ["dict", "list"])
def test_init_cfg_is_as_it_was_when_loading_fails(tiny, init):
    cfg = dict(type="Pretrained", checkpoint="nowhere.pth")
    tiny.init_cfg = cfg if init == "dict" else [cfg]
    before = copy.deepcopy(tiny.init_cfg)
    with pytest.raises(FileNotFoundError):
        tiny.init_weights()
    assert tiny.init_cfg == before


@pytest.mark.parametrize("arch", ["fastervit_1", "fastervit_4"])
def test_file_of_another_arch_names_it(published, arch):
    with pytest.raises(ValueError, match="It looks like fastervit_0: set arch='fastervit_0'"):
        load_weights(on_meta(arch), published, "file")


def test_own_names_of_another_arch_name_it(tmp_path):
    model, other = on_meta("fastervit_1"), on_meta("fastervit_0")
    for way in (model.load_state_dict, lambda weights: load_weights(model, weights, "file")):
        with pytest.raises(ValueError, match="It looks like fastervit_0: set arch='fastervit_0'"):
            way(other.state_dict())


@WAYS
def test_other_channels_are_an_error(tmp_path, tiny, tiny_arch, load):
    torch.save(tiny.state_dict(), tmp_path / "own.pth")
    model = FasterViT({**tiny_arch, "dim": 16})
    shapes = r"stem\.conv2\.weight \(8, 8, 3, 3\) instead of \(16, 8, 3, 3\)"
    with pytest.raises(ValueError, match=shapes) as error:
        load(model, tmp_path / "own.pth")
    assert "no published architecture (dim=8, in_dim=8, depths=(1, 1, 2, 1)" in str(error.value)


def test_other_image_channels_are_not_blamed_on_the_arch():
    model = on_meta("fastervit_0", in_channels=4)
    with pytest.raises(ValueError, match=r"3, 3, 3\) instead of .* in_channels is 4"):
        load_weights(model, on_meta("fastervit_0").state_dict(), "file")


@pytest.mark.parametrize("change", [dict(depths=(1, 1, 1, 1)), dict(layer_scale=None)])
def test_weights_of_no_place_in_the_model_are_an_error(tiny_published, tiny_arch, change):
    model = FasterViT({**tiny_arch, "propagate": False, **change})
    with pytest.raises(ValueError, match="of no place here"):
        load_weights(model, tiny_published, "file")


def test_other_windows_are_an_error_that_names_the_arch():
    weights = to_published(on_meta("fastervit_4_21k_224").state_dict())
    model = on_meta("fastervit_4_21k_224")
    with pytest.raises(ValueError, match="windows of 24 pixels instead of 14 in stage 2") as error:
        load_weights(model, add_extras(weights, (24, 12)), "file")
    assert "It looks like fastervit_4_21k_384: set arch='fastervit_4_21k_384'" in str(error.value)


def test_other_windows_are_noticed_where_only_the_file_states_its_arch():
    weights = dict(on_meta("fastervit_4_21k_224").state_dict())
    content = find_backbone(weights, "file", arch="fastervit_4_21k_384")
    assert content.archs == ["fastervit_4_21k_384"]
    with pytest.raises(ValueError, match="windows of 12 pixels instead of 7 in stage 3"):
        check_fit(on_meta("fastervit_4_21k_224"), content, "file")
