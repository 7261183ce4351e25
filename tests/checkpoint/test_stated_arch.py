"""The architecture goes with the weights, and decides whether they are a model's own."""

import copy

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from mmengine.runner import load_checkpoint
from mmengine.runner.checkpoint import (
    get_state_dict,
    load_state_dict,
    save_checkpoint,
    weights_to_cpu,
)
from torch import nn

from mmfastervit import FasterViT
from mmfastervit.checkpoint import load_backbone, load_weights
from mmfastervit.convert import convert


class Wrapper(nn.Module):
    """Names its model 'module.', as DistributedDataParallel does."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


class Detector(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone


@pytest.fixture
def twin(tiny_arch) -> FasterViT:
    """A model with the names and shapes of the tiny one, and other windows."""
    return FasterViT({**tiny_arch, "windows": (14, 7)})


CHANGES = [
    (dict(windows=(14, 7)), r"windows of 14 pixels instead of 7"),
    (dict(carrier_size=3), r"carrier_size=3 instead of 2"),
    (dict(propagate=False), r"propagate=False instead of True"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_weights_of_the_same_shapes_and_another_arch_are_refused(tiny_arch, change, message):
    model, other = FasterViT(tiny_arch), FasterViT({**tiny_arch, **change})
    assert {k: v.shape for k, v in model.state_dict().items()} == {
        k: v.shape for k, v in other.state_dict().items()
    }
    for load in (model.load_state_dict, lambda weights: load_weights(model, weights, "file")):
        with pytest.raises(ValueError, match=message):
            load(other.state_dict())


def test_another_depth_is_refused_though_not_strict(tiny, tiny_arch):
    deeper = FasterViT({**tiny_arch, "depths": (1, 1, 3, 1)})
    with pytest.raises(ValueError, match=r"depths=\(1, 1, 2, 1\) instead of \(1, 1, 3, 1\)"):
        deeper.load_state_dict(tiny.state_dict(), strict=False)


@pytest.mark.parametrize("change", [dict(drop_path_rate=0.0), dict(layer_scale=0.1)])
def test_what_does_not_matter_to_outputs_may_differ(tiny, tiny_arch, change):
    FasterViT({**tiny_arch, **change}).load_state_dict(tiny.state_dict())


def test_what_is_not_built_may_differ(tiny_arch, twin):
    FasterViT(tiny_arch, out_indices=(0, 1)).load_state_dict(twin.state_dict(), strict=False)


def test_carrier_position_is_of_the_model_not_of_its_weights(tiny, tiny_arch):
    FasterViT(tiny_arch, carrier_position="extrapolate").load_state_dict(tiny.state_dict())


def test_the_four_variants_on_21k_are_told_apart():
    with torch.device("meta"):
        small = dict(dim=8, in_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), carrier_size=0)
        models = [FasterViT({**small, "windows": w}) for w in ((14, 7), (24, 12), (32, 16))]
    for model in models:
        for other in models:
            if model is not other:
                with pytest.raises(ValueError, match="windows of"):
                    model.load_state_dict(other.state_dict())


def test_plain_dicts_load_by_names_and_shapes(tiny, twin):
    twin.load_state_dict(dict(tiny.state_dict()))


@pytest.mark.parametrize("collect", [nn.Module.state_dict, get_state_dict])
@pytest.mark.parametrize("wrap", [Detector, Wrapper, lambda m: Wrapper(Detector(m))])
def test_arch_survives_files_of_whole_models(tmp_path, tiny, tiny_arch, twin, collect, wrap):
    save_checkpoint(dict(state_dict=weights_to_cpu(collect(wrap(tiny)))), str(tmp_path / "f.pth"))
    load_backbone(FasterViT(tiny_arch), tmp_path / "f.pth")
    with pytest.raises(ValueError, match="windows of 7 pixels instead of 14"):
        load_backbone(twin, tmp_path / "f.pth")


@pytest.mark.parametrize("wrap", [nn.Sequential, Detector, copy.deepcopy])
def test_arch_is_checked_by_load_checkpoint(tmp_path, tiny, twin, wrap):
    torch.save(wrap(tiny).state_dict(), tmp_path / "f.pth")
    with pytest.raises(ValueError, match="windows of 7 pixels instead of 14"):
        load_checkpoint(wrap(twin), str(tmp_path / "f.pth"))


@pytest.mark.parametrize("load", [nn.Module.load_state_dict, load_state_dict])
def test_arch_is_checked_in_averaged_models(tiny, twin, load):
    averaged, other = ExponentialMovingAverage(tiny), ExponentialMovingAverage(twin)
    load(ExponentialMovingAverage(tiny), averaged.state_dict())
    with pytest.raises(ValueError, match="windows of 7 pixels instead of 14"):
        load(other, averaged.state_dict())


@pytest.mark.parametrize("suffixes", [(".pth", ".safetensors"), (".safetensors", ".pth")])
@pytest.mark.parametrize("steps", [1, 2])
def test_arch_survives_conversion_both_ways(tmp_path, tiny, tiny_arch, twin, suffixes, steps):
    path = tmp_path / "ours.pth"
    torch.save(tiny.state_dict(), path)
    for suffix in suffixes[:steps]:
        path = convert(path, tmp_path / f"to{suffix}").target
        tmp_path = tmp_path / "next"
        tmp_path.mkdir()
    load_backbone(FasterViT(tiny_arch), path)
    with pytest.raises(ValueError, match="windows of 7 pixels instead of 14"):
        load_backbone(twin, path)
    with pytest.raises(ValueError, match="windows of 7 pixels instead of 14"):
        load_checkpoint(twin, str(path))
