"""What is planned for configs that differ from the zoo's as a user's may."""

import pytest

from mmfastervit.config.finding import read_config
from mmfastervit.swap import Swap, plan_swap
from mmfastervit.swap.audit import audit
from mmfastervit.swap.probing import measure
from mmfastervit.swap.rules.optimizer import RECIPES
from mmfastervit.swap.writing import write_config

RETINANET = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"
CONVNEXT = "mmpretrain::convnext/convnext-tiny_32xb128_in1k.py"
PSPNET = "mmseg::pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py"


def planned(name: str, options: dict, arch="fastervit_0", **settings) -> Swap:
    """Swap an installed config in which ``options`` were changed."""
    cfg = read_config(name)
    cfg.merge_from_dict(options)
    return plan_swap(cfg, arch, **settings)


@pytest.mark.parametrize(
    ("given_out", "read", "stages"), [((3,), 0, (3,)), ((2, 3), 1, (3,)), ((0, 2), -1, (2,))]
)
def test_a_dilated_map_is_taken_by_depth_however_many_are_given_out(
    given_out, read, stages, tiny_arch
):
    options = {
        "model.backbone.out_indices": given_out,
        "model.decode_head.in_index": read,
        "model.decode_head.in_channels": 256 * 2 ** given_out[-1],
        "model.auxiliary_head": None,
    }
    swap = planned(PSPNET, options, tiny_arch)
    assert swap.config.model.backbone.out_indices == stages
    dilated = f"have strides [8], and FasterViT's [{4 * 2 ** stages[0]}]"
    assert any(dilated in note for note in swap.notes)
    assert audit(swap)
    assert any("not built" in note for note in swap.notes) == (stages != (3,))


@pytest.mark.parametrize(
    ("strides", "dilations", "instead"),
    [
        ((1, 2, 1, 1), (1, 1, 2, 4), (1, 1, 2, 4)),
        ((1, 2, 2, 2), (1, 1, 2, 4), (1, 1, 1, 1)),
        ((1, 2, 2, 1, 1, 1, 1), (1, 1, 1, 2, 2, 4, 4), (1, 1, 1, 2, 2, 4, 4)),
    ],
)
def test_dilation_counts_where_it_stands_in_place_of_a_stride(strides, dilations, instead):
    stages = tuple(range(len(strides)))
    backbone = dict(strides=strides, dilations=dilations, out_indices=stages)
    if len(strides) == 4:
        backbone.update(type="ResNet", depth=18)
    else:
        backbone.update(type="MobileNetV2")
    levels, _ = measure(backbone, (), "mmseg")
    assert tuple(level.dilation for level in levels) == instead


def test_what_carries_over_from_the_old_backbone_is_built_and_said_and_options_win(tiny_arch):
    swap = planned(PSPNET, {"model.backbone.with_cp": True}, tiny_arch)
    assert swap.config.model.backbone.norm_cfg.type == "SyncBN"
    assert swap.config.model.backbone.with_cp is True
    (change,) = (change for change in swap.changes if change.key == "model.backbone")
    assert "with_cp=True and SyncBN as the old one had" in change.why
    swap = planned(PSPNET, {}, tiny_arch, backbone_options=dict(norm_cfg=dict(type="BN")))
    assert swap.config.model.backbone.norm_cfg == dict(type="BN")
    assert "4xb2 in the file's name" in str(swap.changes)


@pytest.mark.parametrize("options", [{}, {"model.neck": None}])
def test_a_classifier_whose_backbone_pooled_gets_a_neck_that_pools(tiny_arch, options, tmp_path):
    swap = planned(CONVNEXT, options, tiny_arch)
    base = tmp_path / "base.py"
    base.write_text(swap.original.pretty_text)
    write_config(swap, "base.py", tmp_path / "mine.py")
    assert swap.config.model.neck == dict(type="GlobalAveragePooling")
    assert swap.config.model.backbone.out_indices == (3,)
    assert swap.config.model.head.in_channels == 64


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vgg/vgg11_8xb32_in1k", "the backbone VGG can't be built and run"),
        ("inception_v3/inception-v3_8xb32_in1k", "the backbone InceptionV3 can't be built and run"),
        ("deit/deit-base-distilled_16xb32_in1k-384px", "DistilledVisionTransformer"),
    ],
)
def test_backbones_that_give_no_maps_are_an_error_in_words(name, message):
    with pytest.raises(ValueError, match=message):
        plan_swap(f"mmpretrain::{name}.py", "fastervit_0")


def test_the_recipe_goes_by_the_head_and_hooks_on_old_layers_are_stated(tiny_arch):
    reid = "mmdet::reid/reid_r50_8xb32-6e_mot17train80_test-mot17val20.py"
    hook = dict(type="FreezeHook", layer="backbone.layer1")
    swap = planned(reid, {"custom_hooks": [hook]}, tiny_arch)
    assert swap.config.optim_wrapper.optimizer.lr == RECIPES["mmpretrain"].lr_for(8 * 32)
    assert any("names backbone.layer1" in note for note in swap.notes)


NONES = (
    "optim_wrapper.paramwise_cfg",
    "optim_wrapper",
    "param_scheduler",
    "train_dataloader",
    "test_dataloader",
    "train_cfg",
    "auto_scale_lr",
    "default_hooks",
    "custom_hooks",
    "model.data_preprocessor",
    "model.backbone.init_cfg",
    "model.train_cfg",
    "load_from",
    "work_dir",
)


@pytest.mark.parametrize("key", NONES)
def test_a_section_that_is_none_is_swapped_written_and_read_back(key, tiny_arch, tmp_path):
    cfg = read_config(RETINANET)
    *parents, last = key.split(".")
    holder = cfg
    for name in parents:
        holder = holder[name]
    holder[last] = None
    base = tmp_path / "base.py"
    base.write_text(cfg.pretty_text)
    swap = plan_swap(base, tiny_arch)
    write_config(swap, "base.py", tmp_path / "mine.py")
    assert audit(swap) == []


def test_sgd_that_names_no_rate_is_swapped_written_and_read_back(tiny_arch, tmp_path):
    base = tmp_path / "base.py"
    optimizer = 'dict(_delete_=True, type="SGD", momentum=0.9)'
    base.write_text(f"_base_ = {RETINANET!r}\noptim_wrapper = dict(optimizer={optimizer})\n")
    swap = plan_swap(base, tiny_arch)
    write_config(swap, "base.py", tmp_path / "mine.py")
    assert swap.config.optim_wrapper.optimizer.type == "AdamW"
