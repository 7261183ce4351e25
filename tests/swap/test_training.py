"""Optimizer, schedule and checkpoints lose what belongs to the old backbone, and only that."""

from mmfastervit.swap.training import (
    RECIPES,
    adapt_optimizer,
    drop_checkpoints,
    forget_names,
    norm_keys,
    replace_custom_keys,
)

SGD = dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=5e-4)
NEW = ("stem.norm1.weight", "stages.2.blocks.0.window.norm1.bias", "stages.0.blocks.1.norm2.weight")


def values(changes) -> dict:
    return {change.key: change.now for change in changes}


def test_sgd_becomes_the_recipes_adamw_with_the_rate_of_the_batch():
    cfg = dict(
        optim_wrapper=dict(type="OptimWrapper", optimizer=SGD),
        auto_scale_lr=dict(base_batch_size=64),
    )
    found = values(adapt_optimizer(cfg, RECIPES["mmdet"]))
    assert found["optim_wrapper.optimizer"] == dict(
        _delete_=True, type="AdamW", lr=2e-4, weight_decay=0.05
    )
    assert found["optim_wrapper.paramwise_cfg.norm_decay_mult"] == 0.0


def test_lowest_rate_of_the_schedule_never_exceeds_the_new_learning_rate():
    poly = dict(type="PolyLR", eta_min=1e-4, power=0.9, begin=0, end=40000, by_epoch=False)
    cfg = dict(optim_wrapper=dict(optimizer=SGD), param_scheduler=[poly])
    warmup, poly = values(adapt_optimizer(cfg, RECIPES["mmseg"]))["param_scheduler"]
    assert warmup["type"] == "LinearLR"
    assert poly["eta_min"] < RECIPES["mmseg"].lr


def test_double_rate_of_biases_goes_with_sgd():
    cfg = dict(optim_wrapper=dict(optimizer=SGD, paramwise_cfg=dict(bias_lr_mult=2.0)))
    found = values(adapt_optimizer(cfg, RECIPES["mmdet"]))
    assert found["optim_wrapper.paramwise_cfg.bias_lr_mult"] == 1.0


def test_adamw_is_left_as_it_is():
    cfg = dict(optim_wrapper=dict(optimizer=dict(type="AdamW", lr=1e-4)))
    assert adapt_optimizer(cfg, RECIPES["mmdet"]) == []


def test_settings_of_the_old_backbones_parameters_are_replaced_by_those_of_fastervits_norms():
    keys = {
        "backbone": dict(lr_mult=0.1, decay_mult=1.0),
        "backbone.patch_embed.norm": dict(lr_mult=0.1, decay_mult=0.0),
        "absolute_pos_embed": dict(decay_mult=0.0),
        "query_embed": dict(lr_mult=1.0, decay_mult=0.0),
    }
    cfg = dict(optim_wrapper=dict(paramwise_cfg=dict(custom_keys=keys, norm_decay_mult=0.0)))
    (change,) = replace_custom_keys(cfg, "backbone.", ["patch_embed.norm.weight"], NEW)
    kept = change.now["custom_keys"]
    assert kept["backbone"] == keys["backbone"]
    assert kept["query_embed"] == keys["query_embed"]
    assert "backbone.patch_embed.norm" not in kept
    assert "absolute_pos_embed" not in kept
    assert kept["window.norm"] == dict(lr_mult=0.1, decay_mult=0.0)


def test_settings_that_name_no_parameter_of_the_old_backbone_are_left():
    keys = {"backbone": dict(lr_mult=0.1), "sampling_offsets": dict(lr_mult=0.1)}
    cfg = dict(optim_wrapper=dict(paramwise_cfg=dict(custom_keys=keys)))
    assert replace_custom_keys(cfg, "backbone.", ["conv1.weight"], NEW) == []


def test_keys_of_norms_are_long_enough_to_decide_before_backbone():
    keys = norm_keys(NEW)
    assert keys == ["blocks.1.norm", "stem.norm", "window.norm"]
    assert all(len(key) > len("backbone") for key in keys)


def test_weights_of_the_old_model_are_dropped_wherever_they_are_named():
    cfg = dict(
        load_from="detector.pth",
        checkpoint_file="backbone.pth",
        data_root="data/",
        model=dict(
            pretrained="open-mmlab://resnet50",
            detector=dict(init_cfg=dict(type="Pretrained", checkpoint="whole.pth")),
        ),
    )
    found = values(drop_checkpoints(cfg, ("model", "detector")))
    assert found == {"load_from": None, "model.pretrained": None, "model.detector.init_cfg": None}
    names = forget_names(cfg, [dict(type="Pretrained", checkpoint="backbone.pth")])
    assert values(names) == dict(checkpoint_file=None)
