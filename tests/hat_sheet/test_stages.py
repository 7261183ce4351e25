"""HAT is found wherever it stands in a network."""

import pytest
import torch
from support.tiny_hosts import build_host

from mmfastervit import FasterViT, HATPlugin, insert_hat
from mmfastervit.hat_sheet.stages import choose_stage, find_stages, run_to

PLUGIN = dict(
    cfg=dict(type="mmfastervit.HATPlugin"),
    stages=(False, False, True, False),
    position="after_conv2",
)
HOSTS = {
    "mmdet-swin append": ("mmdet-swin", "append", ["stages.2.blocks.2", "stages.3.blocks.2"]),
    "mmdet-swin replace": ("mmdet-swin", "replace", ["stages.2", "stages.3"]),
    "timm-swin append": ("timm-swin", "append", ["layers_2.blocks.2", "layers_3.blocks.2"]),
    "timm-swin replace": ("timm-swin", "replace", ["layers_2", "layers_3"]),
    "convnext": ("mmpretrain-convnext", "append", ["stages.2.2", "stages.3.1"]),
    "resnet": ("mmdet-resnet", "append", ["layer3.6", "layer4.3"]),
}


def test_both_attention_stages_of_fastervit_are_found(network):
    found = find_stages(network)
    assert [(stage.name, len(stage.blocks), stage.has_carriers) for stage in found] == [
        ("stages.2", 2, True),
        ("stages.3", 1, False),
    ]
    assert choose_stage(network) == found[0]
    assert found[0].gate is None


@pytest.mark.parametrize("case", HOSTS)
def test_hat_in_a_host_is_found_and_its_features_are_the_maps(case):
    name, mode, expected = HOSTS[case]
    model = build_host(name)
    model.eval()
    insert_hat(model, mode=mode)
    assert [stage.name for stage in find_stages(model)] == expected
    image = torch.randn(1, 3, 160, 192)
    stage = choose_stage(model)
    maps = []
    if mode == "append":  # the plug-in is the identity: its output is the map of the host
        stage.end.register_forward_hook(lambda module, inputs, output: maps.append(inputs[0]))
        assert stage.gate == 0
    with torch.no_grad():
        passage = run_to(stage, model, image)
    grid = passage.windows.grid
    assert (grid.height, grid.width) == (10, 12)
    features = stage.features(passage.output, passage.windows, 3, 5)
    if maps:
        given = maps[0]
        if given.ndim == 3:
            expected = given[0, 3 * 12 + 5]
        else:
            expected = given[0, :, 3, 5] if given.shape[2:] == (10, 12) else given[0, 3, 5]
        assert torch.equal(features, expected)
    else:
        assert features.shape == (64,)


def test_a_plugin_inside_bottlenecks_is_found():
    model = build_host("mmdet-resnet", plugins=[PLUGIN])
    found = find_stages(model)
    assert len(found) == 6
    assert all(isinstance(stage.end, HATPlugin) for stage in found)


def test_a_stage_is_named_by_the_end_of_its_name():
    model = torch.nn.Module()
    model.backbone = build_host("mmdet-swin")
    insert_hat(model, mode="replace")
    assert choose_stage(model, "3").name == "backbone.stages.3"
    assert choose_stage(model, "stages.2").name == "backbone.stages.2"
    with pytest.raises(ValueError, match=r"no stage '7' has carriers.*backbone\.stages\.2, "):
        choose_stage(model, "7")


def test_a_stage_without_carriers_is_said_to_have_none(network):
    with pytest.raises(ValueError, match=r"stages\.3 has no carriers.*those with: stages\.2"):
        choose_stage(network, "3")


def test_a_network_without_hat_is_told_by_name():
    with pytest.raises(ValueError, match=r"its SwinTransformer has no HAT block.*swap"):
        choose_stage(build_host("mmdet-swin"))


def test_window_attention_without_carriers_is_no_hat():
    arch = dict(
        dim=8, in_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1), windows=(7, 7), carrier_size=0
    )
    with pytest.raises(ValueError, match=r"FasterViT has window attention without carriers \(st"):
        choose_stage(FasterViT(arch))


def test_a_pass_ends_behind_the_stage_and_leaves_no_hooks(network):
    ran = []
    network.stages[3].register_forward_hook(lambda *_: ran.append(True))
    stage = choose_stage(network)
    passage = run_to(stage, network, torch.randn(1, 3, 160, 224))
    assert len(passage.inputs) == 2
    assert not ran
    network(torch.randn(1, 3, 160, 224))
    assert ran
    assert len(passage.inputs) == 2


def test_a_stage_that_is_not_run_is_an_error(network):
    with pytest.raises(RuntimeError, match="was not run"):
        run_to(choose_stage(network), lambda image: None, torch.randn(1, 3, 64, 64))
