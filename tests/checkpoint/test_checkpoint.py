"""Checkpoints: any file of a FasterViT loads whole or says why not; conversion loses nothing."""

import copy
import functools
import hashlib
import importlib.util
import io
import os
import re
import sys
from argparse import Namespace
from http.client import HTTPException
from pathlib import Path
from unittest.mock import patch
from urllib.error import URLError

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import load_checkpoint
from safetensors.torch import load_file, save_file
from support.oracle import build_oracle
from torch import nn

from mmfastervit import FasterViT
from mmfastervit.archs import ARCHS
from mmfastervit.checkpoint import PUBLISHED, convert, load_backbone, load_weights, sources
from mmfastervit.checkpoint.content import find_backbone
from mmfastervit.checkpoint.loading import check_fit
from mmfastervit.checkpoint.names import backbone_part, from_published, to_published
from mmfastervit.checkpoint.reading import read_checkpoint, stated_arch
from mmfastervit.convert import convert as convert_file

ROOT = Path(__file__).parents[2]
DERIVED = ("relative_bias", "relative_coords_table", "relative_position_index")


@pytest.fixture(scope="module")
def reference() -> nn.Module:
    """The smallest model of the reference implementation."""
    return build_oracle("fastervit_0")


@pytest.fixture(scope="module")
def published(reference) -> dict:
    """What a published file holds."""
    return reference.state_dict()


@pytest.fixture
def tiny(tiny_arch) -> FasterViT:
    """A model whose every weight differs from a fresh model's."""
    model = FasterViT(tiny_arch)
    with torch.no_grad():
        for value in model.state_dict().values():
            value.add_(torch.randint(1, 9, value.shape).to(value.dtype))
    return model


@pytest.fixture
def tiny_published(tiny) -> dict:
    """The tiny model's weights as a published file has them: with classifier and tables."""
    return add_extras(to_published(tiny.state_dict()), tiny.arch.windows)


def add_extras(weights: dict, windows) -> dict:
    tables = {
        f"levels.{stage}.blocks.0.attn.pos_emb_funct.{DERIVED[1]}": torch.zeros(
            1, 2 * side - 1, 2 * side - 1, 2
        )
        for stage, side in zip((2, 3), windows, strict=True)
    }
    classifier = {"norm.weight": torch.ones(4), "head.weight": torch.ones(10, 4)}
    return {**weights, **tables, **classifier}


def prefixed(weights: dict, prefix: str) -> dict:
    return {prefix + name: value for name, value in weights.items()}


def learned(model: nn.Module) -> dict:
    return {k: v for k, v in model.state_dict().items() if not k.startswith("out_norms.")}


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


def shapes_of(arch: str) -> str:
    """Name an architecture of the same shapes; those of the 21k variants are all the same."""
    return "fastervit_4_21k_224" if "21k" in arch else arch


@functools.cache
def on_meta(arch: str, **options) -> FasterViT:
    """Build a model of names and shapes alone; drawing values that do not exist takes long."""
    with torch.device("meta"), patch("mmfastervit.models.backbones.fastervit.initialize"):
        return FasterViT(arch, **options)


# --- Names -----------------------------------------------------------------------------------


def test_every_learned_published_name_has_one_of_ours(published):
    ours, _ = from_published(published)
    assert ours.keys() == learned(on_meta("fastervit_0")).keys()


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("patch_embed.conv_down.0.weight", "stem.conv1.weight"),
        ("patch_embed.conv_down.4.running_var", "stem.norm2.running_var"),
        ("levels.1.blocks.2.norm1.bias", "stages.1.blocks.2.norm1.bias"),
        ("levels.0.downsample.reduction.0.weight", "downsamples.0.conv.weight"),
        ("levels.2.global_tokenizer.pos_embed.bias", "stages.2.tokenizer.conv.bias"),
        ("levels.2.blocks.11.gamma1", "stages.2.blocks.11.carrier.scale1.gamma"),
        ("levels.2.blocks.11.gamma4", "stages.2.blocks.11.window.scale2.gamma"),
        ("levels.3.blocks.0.gamma3", "stages.3.blocks.0.window.scale1.gamma"),
        ("levels.2.blocks.0.hat_norm2.weight", "stages.2.blocks.0.carrier.norm2.weight"),
        ("levels.2.blocks.0.hat_mlp.fc2.bias", "stages.2.blocks.0.carrier.mlp.fc2.bias"),
        (
            "levels.3.blocks.0.attn.pos_emb_funct.cpb_mlp.2.weight",
            "stages.3.blocks.0.window.relative_bias.fc2.weight",
        ),
        (
            "levels.2.blocks.0.hat_pos_embed.cpb_mlp.0.bias",
            "stages.2.blocks.0.carrier.position.fc1.bias",
        ),
    ],
)
def test_translation_by_example(theirs, ours):
    value = torch.ones(1)
    assert from_published({theirs: value}) == ({ours: value}, {})
    assert to_published({ours: value})[theirs] is value


def test_translation_drops_only_classifier_tables_and_copies(published):
    ours, dropped = from_published(published)
    assert len(ours) + sum(map(len, dropped.values())) == len(published) == 476
    assert {name.partition(".")[0] for name in dropped["classifier"]} == {"norm", "head"}
    assert {name.rpartition(".")[2] for name in dropped["derived tables"]} == set(DERIVED)
    copies = dropped["second copies"]
    assert all(".to_global_feature.pos." in name for name in copies)
    originals = [name.replace("to_global_feature.pos", "pos_embed") for name in copies]
    assert all(
        torch.equal(published[a], published[b]) for a, b in zip(copies, originals, strict=True)
    )


def test_translation_there_and_back_gives_the_same_tensors(published):
    back = to_published(from_published(published)[0])
    assert all(value is published[name] for name, value in back.items() if "_feature" not in name)
    lost = {name.rpartition(".")[2] for name in published.keys() - back.keys()}
    assert lost >= set(DERIVED)
    assert all(
        name.startswith(("norm.", "head.")) or name.endswith(DERIVED)
        for name in published.keys() - back.keys()
    )


def test_translation_keeps_published_names_it_does_not_know():
    ours, dropped = from_published({"levels.2.blocks.0.adapter.weight": torch.ones(1)})
    assert list(ours) == ["levels.2.blocks.0.adapter.weight"]
    assert not dropped


def test_translation_to_published_refuses_names_it_does_not_know():
    with pytest.raises(ValueError, match=r"'stem\.conv9\.weight' is not the name of"):
        to_published({"stem.conv9.weight": torch.ones(1)})


@pytest.mark.parametrize("inner", ["stem.conv1.weight", "patch_embed.conv_down.0.weight"])
@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "backbone.", "encoder.", "module.backbone.", "backbone.encoder.module."],
)
def test_wrappers_prefixes_are_stripped(prefix, inner):
    weights = {prefix + inner: torch.ones(1)} | ({"neck.weight": torch.ones(1)} if prefix else {})
    inside, left_out = backbone_part(weights)
    assert list(inside) == [inner]
    assert left_out == (["neck.weight"] if prefix else [])


def test_a_detectors_own_encoder_is_not_taken_for_the_backbone():
    inside, left_out = backbone_part(
        {"encoder.layers.0.weight": torch.ones(1), "backbone.stem.conv1.weight": torch.ones(1)}
    )
    assert list(inside) == ["stem.conv1.weight"]
    assert left_out == ["encoder.layers.0.weight"]


@pytest.mark.parametrize("prefix", ["student", "student."])
def test_named_prefix_chooses_among_backbones(prefix):
    weights = {f"{who}.backbone.stem.conv1.weight": torch.ones(1) for who in ("teacher", "student")}
    inside, left_out = backbone_part(prefixed(weights, "module."), prefix)
    assert list(inside) == ["stem.conv1.weight"]
    assert left_out == ["module.teacher.backbone.stem.conv1.weight"]


def test_absent_prefix_is_an_error_that_names_those_there_are():
    with pytest.raises(ValueError, match=r"prefix='student'; they start with \['teacher', 'neck'"):
        backbone_part({"teacher.weight": torch.ones(1), "neck.weight": torch.ones(1)}, "student")


# --- Published weights -----------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_table_agrees_with_the_models(name):
    weights = PUBLISHED[name]
    model = on_meta(shapes_of(weights.arch))
    classifier = model.arch.channels[-1] * (1000 + 2) + 1000
    parameters = dict(model.named_parameters()).keys() & learned(model).keys()
    count = sum(model.get_parameter(name).numel() for name in parameters) + classifier
    assert weights.params == pytest.approx(count / 1e6, abs=0.06)
    assert weights.url.endswith(f"/{name}.pth.tar")
    assert "non-commercial" in weights.licence


def test_every_arch_is_published():
    assert {weights.arch for weights in PUBLISHED.values()} == set(ARCHS)


def test_unknown_published_name_lists_all(tiny):
    with pytest.raises(ValueError, match="no published weights 'fastervit_9'") as error:
        load_backbone(tiny, "mmfastervit://fastervit_9")
    for name, weights in PUBLISHED.items():
        assert f"mmfastervit://{name}: arch {weights.arch}, {weights.params:g} M" in str(
            error.value
        )


def test_configs_name_published_weights_of_their_arch():
    named = [
        pair
        for config in (ROOT / "configs").rglob("*.py")
        for pair in re.findall(
            r'arch="(\w+)".*?"mmfastervit://(\w+)"', config.read_text(), flags=re.DOTALL
        )
    ]
    assert named
    for arch, name in named:
        assert PUBLISHED[name].arch == arch


# --- Reading ---------------------------------------------------------------------------------


class Touch:
    """An object whose unpickling makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def save_with_code(path: Path, weights: dict, legacy: bool = False) -> Path:
    """Save a checkpoint beside whose weights stands code; return what that code would make."""
    made = path.with_name("made_by_unpickling")
    content = dict(state_dict=weights, extra=Touch(made))
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return made


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_file_is_refused_and_does_not_run(tmp_path, tiny, legacy):
    made = save_with_code(tmp_path / "evil.pth", tiny.state_dict(), legacy)
    init_cfg = dict(type="Pretrained", checkpoint=str(tmp_path / "evil.pth"))
    tiny.init_cfg = init_cfg
    with pytest.raises(ValueError, match=r"\.mkdir") as error:
        tiny.init_weights()
    assert "trust_checkpoint=True in init_cfg" in str(error.value)
    assert "--trust-checkpoint" in str(error.value)
    assert "weights_only" not in str(error.value)
    assert not made.exists()


def test_code_in_a_file_runs_when_trusted(tmp_path, tiny, tiny_arch):
    made = save_with_code(tmp_path / "code.pth", tiny.state_dict())
    init_cfg = dict(type="Pretrained", checkpoint=str(tmp_path / "code.pth"), trust_checkpoint=True)
    model = FasterViT(tiny_arch, init_cfg=init_cfg)
    model.init_weights()
    assert made.exists()
    assert same(model.state_dict(), tiny.state_dict())


def test_code_in_a_file_does_not_run_by_load_checkpoint(tmp_path, tiny):
    made = save_with_code(tmp_path / "evil.pth", tiny.state_dict())
    with pytest.raises(Exception, match="mkdir"):
        load_checkpoint(tiny, str(tmp_path / "evil.pth"))
    assert not made.exists()


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99])
def test_truncated_file_gives_one_clear_error(tmp_path, kind, part):
    path = tmp_path / ("cut.safetensors" if kind == "safetensors" else "cut.pth")
    weights = {"stem.conv1.weight": torch.ones(100, 100)}
    if kind == "safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path, _use_new_zipfile_serialization=kind == "zip")
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ValueError, match=r"cut\.\w+ is not a complete checkpoint file") as error:
        read_checkpoint(path)
    assert "\n" not in str(error.value)
    assert "trust" not in str(error.value)


@pytest.mark.parametrize(
    "content", [b"<html>Not found</html>", b"version https://git-lfs.github.com/spec/v1\n", b"\x80"]
)
def test_file_that_is_no_checkpoint_is_not_offered_to_be_trusted(tmp_path, content):
    path = tmp_path / "page.pth.tar"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not a complete checkpoint file") as error:
        read_checkpoint(path)
    assert "trust" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(1)], "holds a list, not a state dict"),
        (dict(epoch=3), "holds no weights"),
        (dict(state_dict={}), "holds no weights"),
    ],
)
def test_file_without_weights_is_an_error(tmp_path, tiny, content, message):
    torch.save(content, tmp_path / "empty.pth")
    with pytest.raises(ValueError, match=message):
        load_backbone(tiny, tmp_path / "empty.pth")


# --- Loading: what is taken ------------------------------------------------------------------


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


# --- Loading: what is reported ---------------------------------------------------------------


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


def test_arch_of_the_first_stages_is_recognised():
    weights = on_meta("fastervit_1", out_indices=(0, 1)).state_dict()
    assert find_backbone(weights, "file").archs == ["fastervit_1"]


@pytest.mark.parametrize("arch", ARCHS)
def test_every_arch_is_recognised_by_its_shapes(arch):
    weights = on_meta(shapes_of(arch)).state_dict()
    alike = [name for name in ARCHS if ("21k" in name) == ("21k" in arch)]
    assert find_backbone(weights, "file").archs == (alike if "21k" in arch else [arch])
    tables = add_extras(to_published(weights), ARCHS[arch].windows)
    assert find_backbone(tables, "file").archs == [arch]


# --- Loading: what is refused ----------------------------------------------------------------


@WAYS
def test_foreign_file_is_an_error(tmp_path, tiny, load):
    resnet = {"conv1.weight": torch.ones(1), "layer1.0.bn1.weight": torch.ones(1)}
    torch.save(resnet, tmp_path / "resnet.pth")
    before = copy.deepcopy(tiny.state_dict())
    with pytest.raises(ValueError, match=r"holds no weights of a FasterViT.*\(conv1\.weight, lay"):
        load(tiny, tmp_path / "resnet.pth")
    assert same(tiny.state_dict(), before)


def test_detector_with_a_foreign_backbone_is_an_error(tmp_path, tiny):
    torch.save({"backbone.conv1.weight": torch.ones(1)}, tmp_path / "detector.pth")
    detector = nn.ModuleDict(dict(backbone=tiny))
    with pytest.raises(ValueError, match=r"below 'backbone\.' holds no weights of a FasterViT"):
        load_checkpoint(detector, str(tmp_path / "detector.pth"))


@WAYS
@pytest.mark.parametrize("names", ["published", "ours"])
def test_missing_learned_weight_is_an_error(tmp_path, tiny, tiny_published, load, names):
    weights = tiny_published if names == "published" else tiny.state_dict()
    lost = next(name for name in weights if name.endswith("mlp.fc1.bias"))
    del weights[lost]
    torch.save(weights, tmp_path / "partial.pth")
    with pytest.raises(ValueError, match=r"1 missing \(stages\.2\.blocks\.0\.\w+\.mlp\.fc1\.bias"):
        load(tiny, tmp_path / "partial.pth")


def test_part_of_the_weights_loads_by_updating_the_state_dict(tiny, tiny_arch):
    model = FasterViT(tiny_arch)
    part = {k: v for k, v in tiny.state_dict().items() if k.startswith("stem.")}
    with pytest.raises(ValueError, match="135 missing"):
        model.load_state_dict(part, strict=False)
    model.load_state_dict(model.state_dict() | part)
    assert torch.equal(model.stem.conv1.weight, tiny.stem.conv1.weight)


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
    with pytest.raises(ValueError, match=r"3, 3, 3\) instead of .* Its architecture is that of"):
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
    weights = on_meta("fastervit_4_21k_224").state_dict()
    content = find_backbone(weights, "file", arch="fastervit_4_21k_384")
    assert content.archs == ["fastervit_4_21k_384"]
    with pytest.raises(ValueError, match="windows of 12 pixels instead of 7 in stage 3"):
        check_fit(on_meta("fastervit_4_21k_224"), content, "file")


# --- Sources ---------------------------------------------------------------------------------


class Answer(io.BytesIO):
    """What a server sends, and how much it promised."""

    def __init__(self, content: bytes, promised: int | None = None) -> None:
        super().__init__(content)
        self.headers = {"Content-Length": str(promised or len(content))}


class Server:
    """Stands in for ``urlopen``."""

    def __init__(self, answer: bytes | Exception, promised: int | None = None) -> None:
        self.answer, self.promised, self.asked = answer, promised, []

    def __call__(self, request, timeout) -> Answer:
        self.asked.append(request.full_url)
        if isinstance(self.answer, Exception):
            raise self.answer
        return Answer(self.answer, self.promised)


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """Where downloads go."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return tmp_path / "checkpoints"


def test_missing_file_is_an_error(tiny):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint file 'nowhere\.pth'"):
        load_backbone(tiny, "nowhere.pth")


def test_home_folder_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "file.pth").touch()
    assert sources.resolve_source("~/file.pth") == tmp_path / "file.pth"


def test_published_weights_are_downloaded_once(hub, monkeypatch):
    server = Server(b"weights")
    monkeypatch.setattr(sources, "urlopen", server)
    for _ in range(2):
        path = sources.resolve_source("mmfastervit://fastervit_0_224_1k")
    assert path.read_bytes() == b"weights"
    assert server.asked == [PUBLISHED["fastervit_0_224_1k"].url]
    assert list(hub.iterdir()) == [hub / "fastervit_0_224_1k.pth.tar"]


def test_query_of_a_url_is_not_in_the_files_name(hub, monkeypatch):
    monkeypatch.setattr(sources, "urlopen", Server(b"weights"))
    assert sources.resolve_source("https://host/a/w.pth?download=1") == hub / "w.pth"


@pytest.mark.parametrize(
    "server",
    [
        Server(URLError("no route")),
        Server(TimeoutError("slow")),
        Server(HTTPException("odd")),
        Server(b"half", promised=8),
    ],
)
def test_failed_download_advises_and_leaves_nothing(hub, monkeypatch, server):
    monkeypatch.setattr(sources, "urlopen", server)
    with pytest.raises(FileNotFoundError, match=r"could not download https://host/w\.pth") as error:
        sources.resolve_source("https://host/w.pth")
    assert "--cfg-options model.backbone.init_cfg.checkpoint=FILE" in str(error.value)
    assert "model.backbone.init_cfg=None" in str(error.value)
    assert list(hub.iterdir()) == []


def test_first_process_tells_the_others_of_its_failure(hub, monkeypatch):
    told = []
    monkeypatch.setattr(sources, "urlopen", Server(URLError("no route")))
    monkeypatch.setattr(sources, "broadcast_object_list", lambda data: told.extend(data))
    with pytest.raises(FileNotFoundError, match="no route"):
        sources.resolve_source("https://host/w.pth")
    assert "no route" in told[0]


def test_other_processes_fail_with_the_first_without_trying(hub, monkeypatch):
    def hear(data: list) -> None:
        data[0] = "no route"

    server = Server(b"weights")
    monkeypatch.setattr(sources, "urlopen", server)
    monkeypatch.setattr(sources, "is_main_process", lambda: False)
    monkeypatch.setattr(sources, "broadcast_object_list", hear)
    with pytest.raises(FileNotFoundError, match="no route"):
        sources.resolve_source("https://host/w.pth")
    assert server.asked == []


def test_process_on_another_machine_downloads_for_itself(hub, monkeypatch):
    monkeypatch.setattr(sources, "urlopen", Server(b"weights"))
    monkeypatch.setattr(sources, "is_main_process", lambda: False)
    assert sources.resolve_source("https://host/w.pth").read_bytes() == b"weights"


# --- Conversion ------------------------------------------------------------------------------


def read_weights(path: Path) -> dict:
    return load_file(path) if path.suffix == ".safetensors" else torch.load(path)["state_dict"]


def same_bits(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(
        value.dtype == b[name].dtype and value.numpy().tobytes() == b[name].numpy().tobytes()
        for name, value in a.items()
    )


@pytest.fixture(scope="module")
def round_trip(tmp_path_factory, published) -> tuple:
    """Reports of converting the reference's weights to our names and back."""
    folder = tmp_path_factory.mktemp("round_trip")
    torch.save(dict(state_dict=published), folder / "published.pth.tar")
    ours = convert_file(folder / "published.pth.tar", folder / "ours.safetensors")
    return ours, convert_file(folder / "ours.safetensors", folder / "back.pth.tar")


def test_round_trip_is_bit_identical_on_learned_tensors(round_trip, published):
    ours, back = (read_weights(report.target) for report in round_trip)
    assert same_bits(ours, from_published(published)[0])
    assert same_bits(back, {name: published[name] for name in back})


def test_reference_takes_the_round_trip_missing_only_what_cannot_be_made(reference, round_trip):
    result = reference.load_state_dict(read_weights(round_trip[1].target), strict=False)
    assert not result.unexpected_keys
    assert all(
        name.startswith(("norm.", "head.")) or name.endswith(DERIVED)
        for name in result.missing_keys
    )


def test_conversion_reports_what_it_did(round_trip):
    ours, back = map(str, round_trip)
    assert "fastervit_0, 399 tensors under mmfastervit's names" in ours
    assert "dropped: 68 derived tables, 2 second copies, 7 classifier" in ours
    assert "401 tensors under published names" in back
    assert "not made up, so load it with strict=False: the classifier (norm.*, head.*)" in back
    assert "not made up" not in ours


def test_converted_file_states_its_arch(round_trip):
    assert [stated_arch(read_checkpoint(r.target)) for r in round_trip] == ["fastervit_0"] * 2


@pytest.mark.parametrize(
    ("first", "last"),
    [(".pth", ".safetensors"), (".safetensors", ".pth.tar"), (".pth.tar", ".pth")],
)
def test_conversion_between_all_formats_keeps_every_bit(tmp_path, tiny, first, last):
    weights = learned(tiny)
    weights["stem.conv1.weight"].view(-1)[:2] = torch.tensor([torch.nan, -0.0])
    weights["stem.conv2.weight"] = weights["stem.conv2.weight"].half()
    weights["stem.norm1.weight"] = torch.ones(2, 8)[0]  # a view of a larger storage
    torch.save(weights, tmp_path / "ours.pth")
    convert_file(tmp_path / "ours.pth", tmp_path / f"theirs{first}")
    report = convert_file(tmp_path / f"theirs{first}", tmp_path / f"back{last}")
    assert same_bits(read_weights(report.target), weights)


def test_output_norms_are_reported_as_left_out(tmp_path, tiny):
    torch.save(tiny.state_dict(), tmp_path / "ours.pth")
    report = convert_file(tmp_path / "ours.pth", tmp_path / "theirs.pth")
    assert len(report.dropped["output norms"]) == 8


def test_backbone_of_a_detector_is_converted(tmp_path, tiny):
    torch.save(prefixed(learned(tiny), "backbone.") | {"neck.w": torch.ones(1)}, tmp_path / "d.pth")
    report = convert_file(tmp_path / "d.pth", tmp_path / "theirs.pth")
    assert same_bits(read_weights(report.target), to_published(learned(tiny)))
    assert report.dropped == {"of other parts: neck": ["neck.w"]}


def test_same_weights_give_the_same_hash_under_any_name(tmp_path, tiny):
    torch.save(tiny.state_dict(), tmp_path / "ours.pth")
    reports = [convert_file(tmp_path / "ours.pth", tmp_path / name) for name in ("a.pth", "b.pth")]
    assert reports[0].sha256 == reports[1].sha256


def test_existing_target_is_kept_unless_forced(tmp_path, tiny):
    torch.save(tiny.state_dict(), tmp_path / "ours.pth")
    target = tmp_path / "theirs.pth"
    target.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="--force"):
        convert_file(tmp_path / "ours.pth", target)
    assert target.read_bytes() == b"precious"
    convert_file(tmp_path / "ours.pth", target, force=True)
    assert same_bits(read_weights(target), to_published(learned(tiny)))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("existing", [None, b"precious"])
def test_failure_while_writing_leaves_no_half_file(tmp_path, monkeypatch, tiny, suffix, existing):
    def write_half(_, target, **__) -> None:
        (target.write if suffix == ".pth" else target.write_bytes)(b"half")
        raise OSError("disk full")

    torch.save(tiny.state_dict(), tmp_path / "ours.pth")
    target = tmp_path / f"theirs{suffix}"
    if existing:
        target.write_bytes(existing)
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(convert.torch, "save", write_half)
    monkeypatch.setattr(convert, "save_file", write_half)
    with pytest.raises(OSError, match="disk full"):
        convert_file(tmp_path / "ours.pth", target, force=True)
    assert sorted(tmp_path.iterdir()) == before
    assert existing is None or target.read_bytes() == existing


def test_file_that_reads_back_differently_is_not_kept(tmp_path, monkeypatch, tiny):
    def write_changed(path, weights, archs) -> None:
        name, value = next(iter(weights.items()))
        write(path, {**weights, name: value + 1}, archs)

    torch.save(tiny.state_dict(), tmp_path / "ours.pth")
    write = convert._write
    monkeypatch.setattr(convert, "_write", write_changed)
    with pytest.raises(ValueError, match="what was read back is not what was written"):
        convert_file(tmp_path / "ours.pth", tmp_path / "theirs.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["ours.pth"]


def test_incomplete_backbone_is_not_converted(tmp_path, tiny):
    weights = tiny.state_dict()
    del weights["stages.3.blocks.0.window.mlp.fc1.bias"]
    torch.save(weights, tmp_path / "ours.pth")
    with pytest.raises(ValueError, match=r"1 missing \(stages\.3\.blocks\.0\.window\.mlp"):
        convert_file(tmp_path / "ours.pth", tmp_path / "theirs.pth")
    assert not (tmp_path / "theirs.pth").exists()


# --- The command -----------------------------------------------------------------------------


@pytest.fixture
def command(monkeypatch, capsys):
    """Run tools/convert_checkpoint.py: its exit status, standard output and error."""
    spec = importlib.util.spec_from_file_location(
        "convert_checkpoint", ROOT / "tools" / "convert_checkpoint.py"
    )
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*arguments) -> tuple:
        monkeypatch.setattr(sys, "argv", ["convert_checkpoint.py", *map(str, arguments)])
        status = 0
        try:
            tool.main()
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return run


def test_command_prints_the_hash_of_the_file_it_wrote(tmp_path, tiny, command):
    torch.save(tiny.state_dict(), tmp_path / "ours.pth")
    status, output, _ = command(tmp_path / "ours.pth", tmp_path / "theirs.safetensors")
    digest = hashlib.sha256((tmp_path / "theirs.safetensors").read_bytes()).hexdigest()
    assert status == 0
    assert output.endswith(f"sha256 {digest}\n")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["no.pth", "out.pth"], 1, "no checkpoint file"),
        (["ours.pth", "out.onnx"], 2, "must end in one of .pth, .pth.tar"),
        (["ours.pth", "ours.pth"], 1, "is there already; --force replaces it"),
        (["ours.pth", "no/out.pth"], 1, "there is no folder"),
        (["ours.pth", "out.pth", "--arch", "fastervit_2"], 2, "it looks like no published"),
        (["ours.pth", "out.pth", "--arch", "vit"], 2, "invalid choice: 'vit'"),
        (["evil.pth", "out.pth"], 2, "--trust-checkpoint"),
    ],
)
def test_command_says_in_a_line_what_is_wrong(
    tmp_path, tiny, monkeypatch, command, arguments, status, message
):
    monkeypatch.chdir(tmp_path)
    torch.save(tiny.state_dict(), tmp_path / "ours.pth")
    made = save_with_code(tmp_path / "evil.pth", tiny.state_dict())
    before = sorted(tmp_path.iterdir())
    code, output, error = command(*arguments)
    assert (code, output) == (status, "")
    assert message in error.splitlines()[-1]
    assert sorted(tmp_path.iterdir()) == before
    assert not made.exists()


def test_command_trusts_on_demand(tmp_path, tiny, command):
    made = save_with_code(tmp_path / "code.pth", tiny.state_dict())
    status, *_ = command(tmp_path / "code.pth", tmp_path / "theirs.pth", "--trust-checkpoint")
    assert status == 0
    assert made.exists()


def test_command_has_the_file_state_the_arch_that_shapes_leave_open(tmp_path, command, monkeypatch):
    small = dict(dim=8, in_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), carrier_size=0)
    alike = {f"fastervit_4_21k_{w}": FasterViT({**small, "windows": (w, 7)}) for w in (224, 384)}
    archs = {name: model.arch for name, model in alike.items()}
    monkeypatch.setattr("mmfastervit.checkpoint.content.ARCHS", archs)
    torch.save(alike["fastervit_4_21k_384"].state_dict(), tmp_path / "ours.pth")
    _, output, _ = command(tmp_path / "ours.pth", tmp_path / "open.pth")
    assert "fastervit_4_21k_224 or fastervit_4_21k_384" in output
    assert stated_arch(read_checkpoint(tmp_path / "open.pth")) is None
    command(tmp_path / "ours.pth", tmp_path / "named.pth", "--arch", "fastervit_4_21k_384")
    assert stated_arch(read_checkpoint(tmp_path / "named.pth")) == "fastervit_4_21k_384"
    with pytest.raises(ValueError, match="windows of 384 pixels instead of 224"):
        load_backbone(alike["fastervit_4_21k_224"], tmp_path / "named.pth")
