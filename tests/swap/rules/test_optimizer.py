"""Optimizer and schedule lose what belongs to the old backbone, and only that."""

import pytest

from mmfastervit.swap.rules.optimizer import (
    RECIPES,
    Batch,
    adapt_optimizer,
    batch_of,
    hooks_that_name,
    norm_keys,
    optimizer_notes,
    replace_custom_keys,
)

SIXTEEN = Batch(16, "")
SGD = dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=5e-4)
NEW = ("stem.norm1.weight", "stages.2.blocks.0.window.norm1.bias", "stages.0.blocks.1.norm2.weight")


def values(changes) -> dict:
    return {change.key: change.now for change in changes}


def test_sgd_becomes_the_recipes_adamw_with_the_rate_of_the_batch():
    cfg = dict(optim_wrapper=dict(type="OptimWrapper", optimizer=SGD))
    found = values(adapt_optimizer(cfg, RECIPES["mmdet"], Batch(64, "")))
    assert found["optim_wrapper.optimizer"] == dict(
        _delete_=True, type="AdamW", lr=2e-4, weight_decay=0.05
    )
    assert found["optim_wrapper.paramwise_cfg.norm_decay_mult"] == 0.0


def test_lowest_rate_of_the_schedule_never_exceeds_the_new_learning_rate():
    poly = dict(type="PolyLR", eta_min=1e-4, power=0.9, begin=0, end=40000, by_epoch=False)
    cfg = dict(optim_wrapper=dict(optimizer=SGD), param_scheduler=[poly])
    warmup, poly = values(adapt_optimizer(cfg, RECIPES["mmseg"], SIXTEEN))["param_scheduler"]
    assert warmup["type"] == "LinearLR"
    assert poly["eta_min"] < RECIPES["mmseg"].lr


def test_double_rate_of_biases_goes_with_sgd():
    cfg = dict(optim_wrapper=dict(optimizer=SGD, paramwise_cfg=dict(bias_lr_mult=2.0)))
    found = values(adapt_optimizer(cfg, RECIPES["mmdet"], SIXTEEN))
    assert found["optim_wrapper.paramwise_cfg.bias_lr_mult"] == 1.0


def test_settings_that_are_none_are_replaced_as_a_whole():
    """mmengine merges no dict into None."""
    cfg = dict(optim_wrapper=dict(optimizer=SGD, paramwise_cfg=None))
    found = values(adapt_optimizer(cfg, RECIPES["mmdet"], SIXTEEN))
    assert found["optim_wrapper.paramwise_cfg"] == dict(_delete_=True, norm_decay_mult=0.0)


@pytest.mark.parametrize(("kind", "default"), [("SGD", 1e-3), ("RMSprop", 1e-2)])
def test_an_optimizer_without_a_rate_has_torchs(kind, default):
    poly = dict(type="PolyLR", eta_min=default / 10)
    cfg = dict(optim_wrapper=dict(optimizer=dict(type=kind)), param_scheduler=poly)
    _, poly = values(adapt_optimizer(cfg, RECIPES["mmdet"], SIXTEEN))["param_scheduler"]
    assert poly["eta_min"] == pytest.approx(RECIPES["mmdet"].lr / 10)


def test_adamw_is_left_as_it_is():
    cfg = dict(optim_wrapper=dict(optimizer=dict(type="AdamW", lr=1e-4)))
    assert adapt_optimizer(cfg, RECIPES["mmdet"], SIXTEEN) == []
    assert list(optimizer_notes(cfg, RECIPES["mmdet"], SIXTEEN)) == []


@pytest.mark.parametrize(("kind", "lr"), [("AdamW", 4e-3), ("AdamW", 1e-5), ("Lion", 1e-4)])
def test_an_optimizer_that_stays_and_is_not_the_recipes_is_stated(kind, lr):
    cfg = dict(optim_wrapper=dict(optimizer=dict(type=kind, lr=lr)))
    (note,) = optimizer_notes(cfg, RECIPES["mmdet"], Batch(64, "here"))
    assert f"{kind}, lr {lr:g}" in note
    assert "AdamW, lr 0.0002 for 64 images a step (here)" in note


@pytest.mark.parametrize(
    ("cfg", "name", "images", "source"),
    [
        (dict(auto_scale_lr=dict(base_batch_size=64)), "a_4xb2.py", 64, "auto_scale_lr"),
        (dict(train_dataloader=dict(batch_size=2)), "/configs/a_4xb2-b.py", 8, "4xb2"),
        (dict(auto_scale_lr=dict(enable=False), train_dataloader=dict(batch_size=5)), None, 5,
         "one GPU"),
        (dict(), "mine.py", 16, "assumed"),
    ],
)  # fmt: skip
def test_images_a_step_are_read_where_the_config_tells_them(cfg, name, images, source):
    batch = batch_of(cfg, name, RECIPES["mmdet"])
    assert batch.images == images
    assert source in batch.source


@pytest.mark.parametrize(
    ("train_cfg", "end"),
    [(dict(max_iters=1000), 100), (dict(max_iters=90000), 1500), (dict(max_epochs=12), 1500)],
)
def test_a_warm_up_that_is_added_fits_the_run(train_cfg, end):
    cfg = dict(
        optim_wrapper=dict(optimizer=SGD),
        param_scheduler=[dict(type="MultiStepLR", milestones=[8])],
        train_cfg=train_cfg,
    )
    changes = adapt_optimizer(cfg, RECIPES["mmdet"], SIXTEEN)
    (change,) = (change for change in changes if change.key == "param_scheduler")
    assert change.now[0]["end"] == end
    assert str(train_cfg.get("max_iters", 15000)) in change.why


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


def test_settings_of_swins_position_embeddings_go_however_they_are_spelled():
    keys = {".absolute_pos_embed": dict(decay_mult=0.0)}
    cfg = dict(optim_wrapper=dict(paramwise_cfg=dict(custom_keys=keys)))
    (change,) = replace_custom_keys(cfg, "backbone.", ["patch_embed.norm.weight"], NEW)
    assert change.now["custom_keys"] == {}


@pytest.mark.parametrize(
    ("hook", "named"),
    [
        (dict(type="FreezeHook", layer="backbone.layer1"), "backbone.layer1"),
        (dict(type="FreezeHook", layers=["layer1.0", "neck"]), "layer1.0"),
        (dict(type="FreezeHook", layer="backbone.stages"), None),
        (dict(type="layer1", interval=1), None),
    ],
)
def test_a_hook_that_names_a_part_of_the_old_backbone_is_stated(hook, named):
    old = ("layer1.0.conv1.weight", "stages.0.weight")
    notes = list(hooks_that_name(dict(custom_hooks=[hook]), "backbone.", old, NEW))
    assert len(notes) == (named is not None)
    assert named is None or f"FreezeHook, names {named} of" in notes[0]


def test_keys_of_norms_are_long_enough_to_decide_before_backbone():
    keys = norm_keys(NEW)
    assert keys == ["blocks.1.norm", "stem.norm", "window.norm"]
    assert all(len(key) > len("backbone") for key in keys)
