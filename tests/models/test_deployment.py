"""A deployed model computes what it did in eval, and refuses what it can do no more."""

import copy
import pickle

import pytest
import torch
from torch import nn

from mmfastervit import FasterViT, HATPlugin, deploy

IMAGES = (1, 3, 70, 90)


def build(arch, **options) -> FasterViT:
    """A model in eval, none of whose norms and scales is an identity."""
    model = FasterViT(arch, **options).eval()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.2, 3)
            elif value.ndim == 1:
                value.add_(torch.randn_like(value), alpha=0.3)
    return model


def assert_same(actual, expected) -> None:
    for a, b in zip(actual, expected, strict=True):
        assert (a - b).abs().max() <= 1e-5 * b.abs().max()
        assert a.is_contiguous()


@pytest.mark.parametrize(
    "options",
    [
        {},
        dict(out_norm="BN", out_indices=(1, 2)),
        dict(out_norm=None, frozen_stages=3, norm_eval=True, norm_cfg=dict(type="SyncBN")),
        dict(norm_cfg=dict(type="BN", affine=False)),
        dict(norm_cfg=dict(type="BN", track_running_stats=False)),
        dict(out_indices=(0,)),
    ],
    ids=str,
)
@torch.no_grad()
def test_outputs_stay_those_of_eval(tiny_arch, options):
    model = build(tiny_arch, **options)
    images = torch.randn(IMAGES)
    expected = model(images)
    assert not model.deployed
    assert model.switch_to_deploy() is model
    assert model.deployed
    assert_same(model(images), expected)
    assert_same(model.switch_to_deploy()(images), expected)  # a second time is harmless
    assert_same(copy.deepcopy(model).train(False)(images), expected)
    assert_same(pickle.loads(pickle.dumps(model))(images), expected)


@pytest.mark.parametrize("channels", [1, 2, 4, 6, 13])
@torch.no_grad()
def test_images_of_any_number_of_channels(tiny_arch, channels):
    model = build(tiny_arch, in_channels=channels)
    images = torch.randn(IMAGES[0], channels, *IMAGES[2:])
    expected = model(images)
    assert_same(model.switch_to_deploy()(images), expected)


@pytest.mark.parametrize(
    "fields",
    [
        dict(layer_scale=None, propagate=False),
        dict(propagate=False),
        dict(carrier_size=0),
        dict(windows=(14, 7)),
    ],
    ids=str,
)
@torch.no_grad()
def test_kinds_of_arch(tiny_arch, fields):
    model = build({**tiny_arch, **fields})
    images = torch.randn(IMAGES)
    expected = model(images)
    assert_same(model.switch_to_deploy()(images), expected)


def test_nothing_is_left_to_fold(tiny_arch):
    model = build(tiny_arch).switch_to_deploy()
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    scales = [name for name in model.state_dict() if "scale" in name]
    assert scales == ["stages.2.blocks.1.carrier.scale1.gamma"]  # the propagation needs it
    assert not any(p.requires_grad for p in model.stages.parameters())


def test_training_mode_is_refused_before_and_after(tiny_arch):
    model = FasterViT(tiny_arch)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(RuntimeError, match=r"training mode.*eval\(\)"):
        model.switch_to_deploy()
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    model.eval().switch_to_deploy()
    with pytest.raises(RuntimeError, match="cannot be trained: build it again"):
        model.train()


def test_loading_is_refused_with_the_way_out(tiny_arch):
    weights = FasterViT(tiny_arch).state_dict()
    model = nn.ModuleDict({"backbone": build(tiny_arch).switch_to_deploy()})
    with pytest.raises(RuntimeError, match=r"deployed.*Build the model again"):
        model.load_state_dict({f"backbone.{name}": value for name, value in weights.items()})


@torch.no_grad()
def test_hooks_see_what_their_module_returned_until_deployed(tiny_arch):
    model, seen = build(tiny_arch), []
    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda m, _, y: seen.append((type(m), y, y.clone())))
    model(torch.randn(IMAGES))
    assert {kind for kind, y, then in seen if not torch.equal(y, then)} <= {nn.BatchNorm2d}
    changed = [y for kind, y, then in seen if not torch.equal(y, then)]
    assert len(changed) == 2  # the stem's, whose ReLUs work in place


@torch.no_grad()
def test_tables_are_kept_for_each_size_whatever_the_weights_do(tiny_arch):
    model = build(tiny_arch).switch_to_deploy()
    window = model.stages[2].blocks[0].window
    computed = []
    window.position.register_forward_hook(lambda *_: computed.append(1))
    for size in ((64, 64), (70, 90), (64, 64)):
        model(torch.randn(1, 3, *size))
    assert len(computed) == 2
    window.position.fc2.weight.add_(1)
    model(torch.randn(1, 3, 64, 64))
    assert len(computed) == 2


class Doubling(nn.Module):
    """A layer that the package does not know: multiplies by two, then by a weight."""

    deployed = False

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * (x if self.deployed else 2 * x)

    def fold(self) -> None:
        self.weight.data.mul_(2)


def test_a_layer_with_fold_is_deployed_wherever_it_stands():
    model = nn.Sequential(Doubling()).eval()
    x = torch.randn(3)
    expected = model(x)
    for _ in range(2):
        assert torch.equal(deploy(model)(x), expected)
    assert model[0].deployed
    assert not model[0].weight.requires_grad
    with pytest.raises(RuntimeError, match="Doubling is deployed"):
        model.load_state_dict({"0.weight": torch.ones(1)})
    with pytest.raises(RuntimeError, match="training mode"):
        deploy(nn.Sequential(Doubling()))


@torch.no_grad()
def test_a_model_around_it_and_a_plug_in_are_deployed_too(tiny_arch):
    plugin = HATPlugin(8)
    plugin.gate.fill_(0.5)
    model = nn.Sequential(FasterViT(tiny_arch, out_indices=(0,)), nn.ModuleList([plugin])).eval()
    maps = torch.randn(1, 8, 20, 30)
    expected = plugin(maps)
    assert deploy(model) is model
    assert model[0].deployed
    assert_same([plugin(maps)], [expected])
    with pytest.raises(RuntimeError, match="HATBlock is deployed"):
        plugin.train()
    with pytest.raises(RuntimeError, match="deployed"):
        plugin.load_state_dict(HATPlugin(8).state_dict())


def test_a_model_without_our_layers_is_refused():
    with pytest.raises(ValueError, match="no layer of mmfastervit in this Linear"):
        deploy(nn.Linear(1, 1))
