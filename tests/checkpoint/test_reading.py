"""Files are read whole or refused, and run no code."""

from pathlib import Path

import pytest
import torch
from mmengine.runner import CheckpointLoader, load_checkpoint
from safetensors.torch import save_file
from support.checkpoints import same, save_with_code

from mmfastervit import FasterViT
from mmfastervit.checkpoint import load_backbone, reading, zoos
from mmfastervit.checkpoint.reading import read_checkpoint


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_file_is_refused_and_does_not_run(tmp_path, tiny, legacy):
    made = save_with_code(tmp_path / "evil.pth", tiny.state_dict(), legacy)
    init_cfg = dict(type="Pretrained", checkpoint=str(tmp_path / "evil.pth"))
    tiny.init_cfg = init_cfg
    with pytest.raises(ValueError, match=r"\.mkdir") as error:
        tiny.init_weights()
    assert "evil.pth" in str(error.value)
    assert "trust" not in str(error.value)
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


def test_a_safetensors_file_is_known_by_its_content(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "weights.pth")
    assert read_checkpoint(tmp_path / "weights.pth")["state_dict"]["a"].tolist() == [1, 1]


def test_weights_come_by_mmengines_storage_clients(tmp_path, monkeypatch):
    torch.save({"a": torch.ones(2)}, tmp_path / "w.pth")

    class Storage:
        def get(self, name: str) -> bytes:
            return Path(tmp_path, Path(name).name).read_bytes()

    monkeypatch.setattr(reading, "get_file_backend", lambda name, backend_args: Storage())
    assert CheckpointLoader.load_checkpoint("s3://bucket/w.pth")["a"].tolist() == [1, 1]
    made = save_with_code(tmp_path / "w.pth", {})
    with pytest.raises(ValueError, match="holds Python objects beside weights"):
        CheckpointLoader.load_checkpoint("mine:petrel://bucket/w.pth")
    assert not made.exists()


def test_a_classifier_of_mmcls_gives_its_backbone(tmp_path, monkeypatch):
    weights = {"backbone.a": torch.ones(1), "head.b": torch.ones(1)}
    torch.save(dict(state_dict=weights), tmp_path / "w.pth")
    monkeypatch.setitem(zoos.ZOOS, "mmcls://", lambda: {"x": str(tmp_path / "w.pth")})
    assert list(CheckpointLoader.load_checkpoint("mmcls://x")["state_dict"]) == ["a"]


def test_pavi_is_refused():
    with pytest.raises(ValueError, match=r"pavi://x\.pth: pavi is not read"):
        CheckpointLoader.load_checkpoint("pavi://x.pth")
