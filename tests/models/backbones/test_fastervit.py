"""The backbone's interface: what is built, freezing, checkpointing, caches, errors."""

import copy

import pytest
import torch

from mmfastervit import FasterViT
from mmfastervit.archs import ARCHS


def build(arch, **options) -> FasterViT:
    return FasterViT(arch, drop_path_rate=0.0, **options)


@pytest.mark.parametrize("arch", ARCHS)
def test_every_arch_builds_with_its_channels(arch):
    with torch.device("meta"):
        model = FasterViT(arch, out_indices=(-2, -1))
    assert model.out_channels == ARCHS[arch].channels[2:]
    assert model.out_strides == (16, 32)


def test_stages_beyond_the_last_requested_are_not_built(tiny_arch):
    model = build(tiny_arch, out_indices=(1,))
    assert len(model.stages) == 2
    assert len(model.downsamples) == 1
    assert list(model.out_norms) == ["1"]


@pytest.mark.parametrize("kind", ["LN", "BN", None])
@torch.no_grad()
def test_out_norm_is_a_norm_of_the_raw_map(tiny_arch, kind):
    torch.manual_seed(1)
    raw = build(tiny_arch, out_norm=None).eval()
    torch.manual_seed(1)
    normed = build(tiny_arch, out_norm=kind).eval()
    images = torch.randn(1, 3, 64, 64)
    for norm, a, b in zip(normed.out_norms.values(), raw(images), normed(images), strict=True):
        torch.testing.assert_close(norm(a), b)
    if kind == "LN":
        assert b.mean(1).abs().max() < 1e-4


@pytest.mark.parametrize("frozen", [-1, 0, 1, 2, 3, 4])
def test_frozen_stages_stay_frozen_and_in_eval(tiny_arch, frozen):
    model = build(tiny_arch, frozen_stages=frozen)
    assert model.train() is model
    parts = [model.stem, *model.stages]
    for i, part in enumerate(parts):
        expected = i > frozen
        assert all(p.requires_grad is expected for p in part.parameters())
        assert all(m.training is expected for m in part.modules())
    for i, downsample in enumerate(model.downsamples):
        assert all(p.requires_grad is (i >= frozen) for p in downsample.parameters())
    assert all(p.requires_grad for p in model.out_norms.parameters())
    model(torch.randn(2, 3, 64, 64))[-1].mean().backward()


def test_norm_eval_keeps_statistics(tiny_arch):
    model = build(tiny_arch, norm_eval=True).train()
    before = copy.deepcopy(dict(model.named_buffers()))
    model(torch.randn(2, 3, 64, 64))
    assert all(torch.equal(before[name], b) for name, b in model.named_buffers())
    assert model.training


def test_checkpointed_equals_plain(tiny_arch):
    """Outputs, gradients and running statistics are those of a plain pass."""
    plain = build(tiny_arch).train()
    saving = build(tiny_arch, with_cp=True).train()
    saving.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 70, 90)
    for model in (plain, saving):
        sum(x.square().mean() for x in model(images)).backward()
    for (name, p), q in zip(plain.named_parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, msg=name)
    for (name, p), q in zip(plain.named_buffers(), saving.buffers(), strict=True):
        torch.testing.assert_close(p, q, msg=name)


def test_with_cp_saves_activations(tiny_arch):
    def saved_bytes(model):
        total = 0

        def pack(x):
            nonlocal total
            total += x.numel() * x.element_size()
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            model.train()(torch.randn(2, 3, 64, 64))
        return total

    assert saved_bytes(build(tiny_arch, with_cp=True)) < 0.6 * saved_bytes(build(tiny_arch))


def test_drop_path_rises_from_zero_to_its_rate(tiny_arch):
    model = FasterViT(tiny_arch, drop_path_rate=0.4)
    rates = [b.drop_path.drop_prob for s in model.stages[:2] for b in s.blocks]
    rates += [b.window.drop_path.drop_prob for s in model.stages[2:] for b in s.blocks]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


@torch.no_grad()
def test_eval_notices_changed_weights(tiny_arch):
    """Cached position tables are dropped when weights change: in place, loaded, or behind .data."""
    model = build(tiny_arch).eval()
    images = torch.randn(1, 3, 100, 150)
    other = build(tiny_arch).eval()
    for p in other.parameters():
        p.add_(torch.randn_like(p), alpha=0.1)
    model(images)
    model.load_state_dict(other.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(model(images), other(images), strict=True))
    before = model(images)[2]
    for block in model.stages[2].blocks:
        block.window.position.fc2.weight.add_(0.1)
    changed = model(images)[2]
    assert not torch.equal(before, changed)
    for block in model.stages[2].blocks:
        block.window.position.fc2.weight.data.copy_(block.window.position.fc2.weight - 0.1)
    model.train().eval()  # what mmengine does between an EMA swap and validation
    torch.testing.assert_close(model(images)[2], before, rtol=1e-3, atol=1e-4)


def test_eval_caches_tables_and_training_does_not(tiny_arch):
    model = build(tiny_arch).eval()
    bias = model.stages[2].blocks[0].window.relative_bias
    computed = []
    bias.register_forward_hook(lambda *_: computed.append(1))
    images = torch.randn(1, 3, 100, 150)
    with torch.no_grad():
        model(images)
        model(images)
    assert len(computed) == 1
    model(images)  # gradients flow: tables must be part of the graph
    model(images)
    assert len(computed) == 3
    model.train()
    model(images.repeat(2, 1, 1, 1))
    model(images.repeat(2, 1, 1, 1))
    assert len(computed) == 5
    with torch.no_grad():
        model.eval()(images)  # what was kept is forgotten
    assert len(computed) == 6


@torch.no_grad()
def test_carrier_position_matters_beyond_the_pretraining_grid_only(tiny_arch):
    inside = build(tiny_arch, out_norm=None).eval()
    beyond = build(tiny_arch, out_norm=None, carrier_position="extrapolate").eval()
    beyond.load_state_dict(inside.state_dict())
    for p, q in zip(inside.parameters(), beyond.parameters(), strict=True):
        p.add_(torch.randn_like(p), alpha=0.2)
        q.copy_(p)
    square, wide = torch.randn(1, 3, 224, 224), torch.randn(1, 3, 224, 448)
    torch.testing.assert_close(inside(square), beyond(square))
    assert not torch.allclose(inside(wide)[2], beyond(wide)[2], atol=1e-4)


@torch.no_grad()
def test_autocast_stays_close_to_full_precision(tiny_arch):
    model = build(tiny_arch, out_norm=None).eval()
    images = torch.randn(1, 3, 100, 150)
    expected = model(images)
    with torch.autocast("cpu", torch.bfloat16):
        actual = model(images)
    for a, b in zip(actual, expected, strict=True):
        assert (a.float() - b).abs().max() < 0.1 * b.abs().max()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (dict(arch="fastervit_9"), ValueError, "fastervit_0, fastervit_1"),
        (dict(arch=3), TypeError, "name or a dict"),
        (dict(arch=dict(dim=8)), ValueError, "missing fields.*depths"),
        (dict(out_indices=(0, 4)), ValueError, "from -4 to 3"),
        (dict(out_indices=(2, 1)), ValueError, "increasing"),
        (dict(out_indices=()), ValueError, "increasing"),
        (dict(out_indices=2), TypeError, "sequence"),
        (dict(norm_cfg=dict(type="Quux")), ValueError, "BN.*SyncBN"),
        (dict(norm_cfg=dict(type="BN", slope=1)), ValueError, "momentum"),
        (dict(norm_cfg="BN"), TypeError, "dict"),
        (dict(out_norm="GN"), ValueError, "LN"),
        (dict(frozen_stages=5), ValueError, "-1 .*to 4"),
        (dict(drop_path_rate=1.0), ValueError, r"\[0, 1\)"),
        (dict(carrier_position="guess"), ValueError, "interpolate"),
        (dict(drop_rate=0.1), TypeError, "drop_rate"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused_by_name(tiny_arch, options, error, message):
    with pytest.raises(error, match=message):
        FasterViT(**{"arch": tiny_arch, **options})


@pytest.mark.parametrize(
    "field",
    [
        dict(depths=(1, 1, 1)),
        dict(dim=0),
        dict(carrier_size=8),
        dict(num_heads=(1, 1, 3, 2)),
        dict(colour="red"),
        dict(layer_scale=None),
    ],
    ids=str,
)
def test_bad_arch_fields_are_refused(tiny_arch, field):
    with pytest.raises(ValueError, match="arch"):
        FasterViT({**tiny_arch, **field})


@pytest.mark.parametrize(
    "shape", [(3, 64, 64), (0, 3, 64, 64), (1, 3, 0, 64), (1, 4, 64, 64)], ids=str
)
def test_bad_images_are_refused_with_their_shape(tiny_arch, shape):
    with pytest.raises(ValueError, match=str(shape).replace("(", r"\(").replace(")", r"\)")):
        build(tiny_arch)(torch.zeros(shape))


def test_a_tuple_of_images_is_refused(tiny_arch):
    with pytest.raises(TypeError, match="tuple"):
        build(tiny_arch)((torch.zeros(1, 3, 64, 64),))


@pytest.mark.parametrize("arch", ["fastervit_0", "fastervit_3", "fastervit_4_21k_224"])
def test_every_parameter_is_as_deep_as_it_stands_in_the_forward_pass(arch):
    with torch.device("meta"):
        model = FasterViT(arch)
    number = sum(ARCHS[arch].depths) + 2
    depths = {name: model.get_layer_depth(name) for name, _ in model.named_parameters()}
    assert {layers for _, layers in depths.values()} == {number}
    parts = [("stem", model.stem)]
    for i, stage in enumerate(model.stages):
        if getattr(stage, "tokenizer", None) is not None:
            parts.append((f"stages.{i}.tokenizer", stage.tokenizer))
        parts += [(f"stages.{i}.blocks.{j}", block) for j, block in enumerate(stage.blocks)]
        if i < len(model.downsamples):
            parts.append((f"downsamples.{i}", model.downsamples[i]))
    parts.append(("out_norms", model.out_norms))
    along = [{depths.pop(f"{p}.{n}")[0] for n, _ in m.named_parameters()} for p, m in parts]
    assert not depths
    assert all(len(found) == 1 for found in along)
    order = [depth for found in along for depth in found]
    assert order == sorted(order)
    assert sorted(set(order)) == list(range(number))


def test_parameters_of_others_are_the_deepest(tiny_arch):
    model = build(tiny_arch)
    assert model.get_layer_depth("head.fc.weight", "backbone.") == (6, 7)
    assert model.get_layer_depth("backbone.stem.conv1.weight", "backbone.") == (0, 7)
    assert model.get_layer_depth("backbone.stages.2.blocks.1.window.norm1.bias", "backbone.") == (
        4,
        7,
    )


def test_mmpretrain_sets_layer_wise_learning_rates(tiny_arch):
    from mmpretrain.engine.optimizers import LearningRateDecayOptimWrapperConstructor

    class Classifier(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = build(tiny_arch)
            self.head = torch.nn.Linear(64, 5)

        def get_layer_depth(self, name):
            return self.backbone.get_layer_depth(name, "backbone.")

    construct = LearningRateDecayOptimWrapperConstructor(
        dict(optimizer=dict(type="AdamW", lr=1.0, weight_decay=0.1)), dict(layer_decay_rate=0.5)
    )
    rates = {g["param_name"]: g["lr"] for g in construct(Classifier()).optimizer.param_groups}
    assert rates["head.weight"] == rates["backbone.out_norms.0.weight"] == 1
    assert rates["backbone.stages.3.blocks.0.window.norm1.weight"] == 0.5
    assert rates["backbone.stem.conv1.weight"] == 0.5**6
