"""Models whose images have other than three channels are exported like the others."""

import numpy as np
import onnx
import pytest
import torch
from support.answers import status_of
from support.little_detectors import config_of, saved
from support.stacks import MANY_CHANNELS

from mmfastervit.datasets.shapes import drawn_pictures
from mmfastervit.export import build_whole
from mmfastervit.export.asking import fitted
from mmfastervit.export.proof import check
from mmfastervit.runtimes import OnnxRuntime

CHANNELS = (1, 4, 13)
NAMES = ("retinanet", "segformer")


def config_for(name: str, channels: int):
    """A little model's config for pictures of some channels, each with statistics of its own."""
    cfg = config_of(name)
    cfg.model.backbone.in_channels = channels
    statistics = dict(
        mean=[90.0 + 5 * i for i in range(channels)], std=[40.0 + 2 * i for i in range(channels)]
    )
    preprocessor = cfg.model.data_preprocessor
    preprocessor.update(**statistics, bgr_to_rgb=False)
    preprocessor.type = (
        "mmfastervit.engine.channels.DetChannelsPreprocessor"
        if name == "retinanet"
        else MANY_CHANNELS
    )
    return cfg


def pictures(channels: int) -> list[np.ndarray]:
    drawn = drawn_pictures(channels, 128)
    return [fitted(next(drawn), (96, 128)) for _ in range(2)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("takes_uint8", [True, False], ids=["uint8", "normalised"])
def test_a_whole_model_finds_what_it_predicts(name, channels, takes_uint8, tmp_path):
    cfg = config_for(name, channels)
    _, checkpoint = saved(name, tmp_path, cfg)
    whole = build_whole(cfg, str(checkpoint), takes_uint8)
    assert whole.channels == channels

    def run(batch: np.ndarray) -> dict[str, np.ndarray]:
        assert batch.shape[3 if takes_uint8 else 1] == channels
        with torch.no_grad():
            outputs = whole(torch.from_numpy(batch))
        return {key: output.numpy() for key, output in outputs.items()}

    assert check(whole, run, pictures(channels)).compared > 3


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_a_whole_model_is_written(name, channels, tmp_path, capsys):
    config, checkpoint = saved(name, tmp_path, config_for(name, channels))
    out = tmp_path / "model.onnx"
    command = ("export", str(config), str(checkpoint), "--part", "model", "--out", str(out))
    status, told, errors = status_of(
        capsys, *command, "--uint8", "--one-size", "--size", "96", "128"
    )
    assert status == 0, errors
    assert "any batch, 96x128 pixels" in told
    (taken,) = onnx.load(out).graph.input
    assert taken.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert taken.type.tensor_type.shape.dim[3].dim_value == channels
    assert OnnxRuntime(out)(np.stack(pictures(channels)))


@pytest.mark.slow
@pytest.mark.parametrize("channels", CHANNELS)
def test_a_backbone_is_written_for_any_size(channels, tmp_path, capsys):
    config, checkpoint = saved("retinanet", tmp_path, config_for("retinanet", channels))
    out = tmp_path / "backbone.onnx"
    status, told, errors = status_of(
        capsys, "export", str(config), str(checkpoint), "--out", str(out)
    )
    assert status == 0, errors
    assert f"images of 2x{channels}x96x417" in told


def test_pictures_of_sixteen_bits_are_no_uint8(tmp_path, capsys):
    config, checkpoint = saved("segformer", tmp_path, config_for("segformer", 4))
    folder = tmp_path / "pictures"
    folder.mkdir()
    np.save(folder / "deep.npy", np.full((64, 64, 4), 40_000, np.uint16))
    status, _, errors = status_of(
        capsys, "export", str(config), str(checkpoint), "--part", "model", "--uint8",
        "--check-on", str(folder), "--out", str(tmp_path / "x.onnx"),
    )  # fmt: skip
    assert status == 2
    assert "deep.npy holds uint16: --uint8 is for pictures of 8 bits" in errors
