"""Layer-wise learning rates: deeper is faster, everything once, in any model."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.structures import DataSample
from support.tiny_hosts import HOSTS, build_host
from torch import nn

from mmfastervit import FasterViT, insert_hat
from mmfastervit.config.finding import read_config
from mmfastervit.engine.layer_decay import layer_depths

OPTIMIZER = dict(type="AdamW", lr=1.0, weight_decay=0.1)


class Detector(nn.Module):
    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))


def construct(model: nn.Module, **paramwise):
    cfg = dict(
        constructor="mmfastervit.LayerDecayOptimWrapperConstructor",
        optimizer=OPTIMIZER,
        paramwise_cfg=paramwise,
    )
    with DefaultScope.overwrite_default_scope("mmdet"):
        return build_optim_wrapper(model, cfg).optimizer


def settings(model: nn.Module, optimizer) -> dict:
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    return {name: groups[id(p)] for name, p in model.named_parameters() if id(p) in groups}


def test_rates_of_a_fastervit_fall_layer_by_layer(tiny_arch):
    model = Detector(FasterViT(tiny_arch))
    rates = {n: g["lr"] for n, g in settings(model, construct(model, layer_decay_rate=0.5)).items()}
    assert rates["head.0.weight"] == rates["backbone.out_norms.0.weight"] == 1
    assert rates["backbone.stages.3.blocks.0.window.norm1.weight"] == 0.5
    assert rates["backbone.stem.conv1.weight"] == 0.5**6


def test_every_parameter_is_in_one_group_and_groups_are_few(tiny_arch):
    model = Detector(FasterViT(tiny_arch))
    model.tied = model.head[0]  # shared parameters are there once
    model.backbone.stem.conv1.weight.requires_grad_(False)
    optimizer = construct(model, layer_decay_rate=0.5, norm_decay_mult=0.0)
    found = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert len(found) == len(set(found))
    assert set(found) == {id(p) for p in model.parameters() if p.requires_grad}
    assert len(optimizer.param_groups) <= 2 * 7


def test_other_settings_mean_what_they_do_elsewhere(tiny_arch):
    model = Detector(FasterViT(tiny_arch))
    custom = {"head.0": dict(lr_mult=10.0, decay_mult=0.5)}
    options = dict(norm_decay_mult=0.0, bias_decay_mult=0.25, custom_keys=custom)
    found = settings(model, construct(model, layer_decay_rate=0.5, **options))
    assert found["head.0.weight"]["lr"] == 10
    assert found["head.0.weight"]["weight_decay"] == 0.05
    assert found["head.1.weight"]["weight_decay"] == 0
    assert found["backbone.stem.conv1.weight"].get("weight_decay") == 0.1
    assert found["backbone.stages.3.blocks.0.window.attn.qkv.bias"]["weight_decay"] == 0.025


@pytest.mark.parametrize("with_hat", [False, True])
@pytest.mark.parametrize("name", HOSTS)
def test_hosts_of_hat_have_layers_too(name, with_hat):
    model = Detector(build_host(name))
    if with_hat:
        insert_hat(model)
    depths = {n: layer_depths(model)[id(p)] for n, p in model.named_parameters()}
    (layers,) = {layers for _, layers in depths.values()}
    seen = {layer for layer, _ in depths.values()}
    if not hasattr(model.backbone, "get_layer_depth"):
        assert seen == set(range(layers))
    assert depths["head.0.weight"][0] == layers - 1
    first = next(iter(depths))
    assert depths[first][0] == 0
    assert seen <= set(range(layers))
    assert len(seen) > 4


@pytest.mark.parametrize(
    ("paramwise", "message"),
    [
        (dict(), "must be a number above 0 and at most 1"),
        (dict(layer_decay_rate=1.5), "not 1.5"),
        (dict(layer_decay_rate="0.9"), "not '0.9'"),
    ],
)
def test_a_rate_that_is_none_is_an_error(paramwise, message, tiny_arch):
    with pytest.raises(ValueError, match=message):
        construct(Detector(FasterViT(tiny_arch)), **paramwise)


def test_a_backbone_that_nobody_knows_is_named():
    with pytest.raises(ValueError, match="layers of backbone, a Linear: it has no get_layer_depth"):
        construct(Detector(nn.Linear(2, 2)), layer_decay_rate=0.5)
    with pytest.raises(ValueError, match="this Linear has none"):
        construct(nn.Linear(2, 2), layer_decay_rate=0.5)


@pytest.mark.parametrize(
    "name",
    [
        "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py",
        "mmseg::swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py",
    ],
)
def test_models_of_both_packages_get_their_rates(name):
    cfg = read_config(name)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        for part in (cfg.model, cfg.model.backbone):
            part.pop("init_cfg", None)
        model = MODELS.build(cfg.model)
    optimizer = construct(model, layer_decay_rate=0.9)
    rates = sorted({group["lr"] for group in optimizer.param_groups})
    assert rates[-1] == 1
    assert len(rates) > 12
    assert rates[0] == pytest.approx(0.9 ** (len(rates) - 1))
    sum(p.sum() for p in model.parameters()).backward()
    optimizer.step()
    assert torch.isfinite(next(model.parameters())).all()


def test_a_classifier_of_mmpretrain_gets_its_rates(tiny_arch):
    cfg = read_config("mmpretrain::swin_transformer/swin-tiny_16xb64_in1k.py")
    cfg.model.backbone = dict(type="mmfastervit.FasterViT", arch=tiny_arch, out_indices=(3,))
    cfg.optim_wrapper.constructor = "mmfastervit.LayerDecayOptimWrapperConstructor"
    cfg.optim_wrapper.paramwise_cfg.layer_decay_rate = 0.5
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        cfg.model.head.in_channels = MODELS.build(cfg.model.backbone).out_channels[-1]
        model = MODELS.build(cfg.model)
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    found = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(found) == sorted(id(p) for p in model.parameters())
    rate = cfg.optim_wrapper.optimizer.lr
    by_name = settings(model, optimizer)
    assert by_name["head.fc.weight"]["lr"] == rate
    assert by_name["backbone.stem.conv1.weight"]["lr"] == pytest.approx(rate * 0.5**6)
    assert by_name["backbone.stem.norm1.weight"]["weight_decay"] == 0
    labels = [DataSample().set_gt_label(1) for _ in range(2)]
    loss = model(torch.ones(2, 3, 64, 64), labels, mode="loss")["loss"]
    loss.backward()
    optimizer.step()
