"""The old backbone's layer-wise learning rates become those of FasterViT's layers."""

import pytest
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope

from mmfastervit.engine.layer_decay import layer_depths
from mmfastervit.swap import plan_swap, swap_backbone

MMDET = "mmdet::convnext/mask-rcnn_convnext-t-p4-w7_fpn_amp-ms-crop-3x_coco.py"
MMSEG = "mmseg::convnext/convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512.py"


def settings(cfg: Config) -> dict:
    return cfg.optim_wrapper.paramwise_cfg.to_dict()


@pytest.mark.parametrize(("name", "rate", "old_layers"), [(MMDET, 0.95, 8), (MMSEG, 0.9, 8)])
def test_the_first_layer_keeps_its_share(name, rate, old_layers):
    cfg = swap_backbone(name, "fastervit_0", pretrained="none")
    assert cfg.optim_wrapper.constructor == "mmfastervit.LayerDecayOptimWrapperConstructor"
    layers = sum((2, 3, 6, 5)) + 2
    first = settings(cfg)["layer_decay_rate"] ** (layers - 1)
    assert first == pytest.approx(rate ** (old_layers - 1), rel=0.01)
    assert not settings(cfg).keys() & {"num_layers", "decay_rate", "decay_type"}
    assert settings(cfg)["norm_decay_mult"] == 0.0


def test_the_swapped_config_trains_each_layer_by_its_rate(tiny_arch):
    cfg = swap_backbone(MMSEG, tiny_arch)
    init_default_scope("mmseg")
    model = MODELS.build(cfg.model)
    cfg.optim_wrapper.update(type="OptimWrapper")
    cfg.optim_wrapper.pop("loss_scale", None)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert len(rates) == len(list(model.parameters()))
    depths = layer_depths(model)
    rate, lr = settings(cfg)["layer_decay_rate"], cfg.optim_wrapper.optimizer.lr
    for parameter in model.parameters():
        layer, layers = depths[id(parameter)]
        assert rates[id(parameter)] == pytest.approx(lr * rate ** (layers - 1 - layer))


def test_settings_beside_it_stay_and_those_that_name_the_old_backbone_go(tiny_arch):
    cfg = plan_swap(MMSEG, tiny_arch).original.copy()
    keys = {"backbone.stages.0.0.gamma": dict(decay_mult=0.0), "decode_head": dict(lr_mult=10.0)}
    cfg.optim_wrapper.paramwise_cfg["custom_keys"] = keys
    swapped = settings(swap_backbone(cfg, tiny_arch))
    assert swapped["custom_keys"] == {"decode_head": dict(lr_mult=10.0)}
    assert "layer_decay_rate" in swapped
