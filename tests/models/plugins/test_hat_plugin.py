"""The plug-in by itself: identity at first, trainable from the second step, far-sighted."""

import copy

import mmdet.models  # noqa: F401  (registers ResNet)
import pytest
import torch
from mmcv.cnn import build_plugin_layer
from mmengine.registry import MODELS
from torch import nn

from mmfastervit import HATPlugin
from mmfastervit.models.layers import AttentionStage, WindowGrid
from mmfastervit.models.layers.windows import locate_tokens


@pytest.mark.parametrize("size", [(14, 14), (1, 1), (9, 23), (40, 7)], ids=str)
@pytest.mark.parametrize("depth", [1, 2])
def test_is_the_identity_at_first(size, depth):
    x = torch.randn(2, 32, *size)
    for plugin in (HATPlugin(32, depth), HATPlugin(32, depth).eval()):
        assert torch.equal(plugin(x), x)


def test_stays_the_identity_whatever_a_host_initialises():
    plugin = HATPlugin(32)
    for module in plugin.modules():
        for name in ("weight", "bias"):
            if getattr(module, name, None) is not None:
                nn.init.normal_(getattr(module, name))
    x = torch.randn(1, 32, 20, 30)
    assert torch.equal(plugin(x), x)


@pytest.mark.parametrize("depth", [1, 2])
def test_every_weight_learns_from_the_second_step(depth):
    plugin = HATPlugin(32, depth)
    optimizer = torch.optim.AdamW(plugin.parameters(), lr=1e-3)
    target = torch.randn(2, 32, 15, 22)
    for _ in range(2):
        optimizer.zero_grad()
        (plugin(torch.randn(2, 32, 15, 22)) - target).square().mean().backward()
        assert all(p.grad is not None for p in plugin.parameters())
        optimizer.step()
    dead = [name for name, p in plugin.named_parameters() if not p.grad.any()]
    assert not dead


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_keeps_the_memory_format(memory_format):
    x = torch.randn(2, 32, 16, 24).to(memory_format=memory_format)
    assert HATPlugin(32)(x).stride() == x.stride()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_mixed_precision_keeps_values_and_type(dtype):
    x = torch.randn(1, 32, 16, 24, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16):
        y = HATPlugin(32)(x)
    assert y.dtype == dtype
    assert torch.equal(x, y)


def test_recomputing_changes_no_gradient():
    plain, saving = HATPlugin(32, 2), HATPlugin(32, 2, with_cp=True)
    nn.init.ones_(plain.gate)
    saving.load_state_dict(plain.state_dict())
    x = torch.randn(2, 32, 16, 24)
    for plugin in (plain, saving):
        plugin(x).square().sum().backward()
    for (name, p), q in zip(plain.named_parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, msg=name)


def test_mmcv_builds_it():
    name, layer = build_plugin_layer(dict(type="mmfastervit.HATPlugin", depth=2), in_channels=64)
    assert name == "hat_plugin"
    assert isinstance(layer, HATPlugin)


@pytest.mark.parametrize("package", ["mmdet", "mmseg"])
@torch.no_grad()
def test_resnet_takes_it_among_its_plugins(package):
    cfg = dict(type=f"{package}.ResNet", depth=50, base_channels=8)
    plugin = dict(
        cfg=dict(type="mmfastervit.HATPlugin", num_heads=2),
        stages=(False, False, True, True),
        position="after_conv3",
    )
    plain, with_hat = MODELS.build(cfg), MODELS.build({**cfg, "plugins": [plugin]})
    assert sum(isinstance(m, HATPlugin) for m in with_hat.modules()) == 6 + 3
    with_hat.init_weights()
    report = with_hat.load_state_dict(plain.state_dict(), strict=False)
    assert not report.unexpected_keys
    assert all(".hat_plugin." in name for name in report.missing_keys)
    plain.eval()
    with_hat.eval()
    x = torch.randn(1, 3, 64, 96)
    for a, b in zip(plain(x), with_hat(x), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("channels", "heads"), [(96, 3), (256, 8), (40, 1), (8, 1), (320, 10), (100, 2)]
)
def test_default_heads_divide(channels, heads):
    assert HATPlugin(channels).attention.blocks[0].window.attn.num_heads == heads


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (dict(in_channels=96, num_heads=5), ValueError, r"5 does not divide the 96.*\[1, 2, 3"),
        (dict(in_channels=0), ValueError, "in_channels=0"),
        (dict(in_channels=32, depth=0), ValueError, "depth=0"),
        (dict(in_channels=32, window_size=2.5), ValueError, "window_size=2.5"),
        (dict(in_channels=32, window_size=7, carrier_size=8), ValueError, "carrier_size=8"),
        (dict(in_channels=32, mlp_ratio=0), ValueError, "mlp_ratio=0"),
        (dict(in_channels=32, drop_path_rate=1), ValueError, r"\[0, 1\)"),
        (dict(in_channels=32, heads=2), TypeError, "heads"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused_by_name(options, error, message):
    with pytest.raises(error, match=message):
        HATPlugin(**options)


@pytest.mark.parametrize("shape", [(1, 16, 8, 8), (32, 8, 8), (0, 32, 8, 8)], ids=str)
def test_bad_maps_are_refused_with_their_shape(shape):
    with pytest.raises(ValueError, match="HATPlugin takes"):
        HATPlugin(32)(torch.zeros(shape))


@torch.no_grad()
def test_fresh_carriers_are_attended_to():
    """A pixel gives its four carriers what four of its window's 49 pixels get."""
    block = HATPlugin(64).eval().attention.blocks[0]
    windows = locate_tokens(WindowGrid(7, 7, 7, 2))
    weights = block.tables(windows, torch.zeros(1, 53, 64)).window_bias.softmax(-1)  # equal keys
    share = weights[:, 4:, :4].sum(-1)  # (heads, 49)
    assert share.min() > 0.5 * 4 / 53
    assert share.max() < 2 * 4 / 53


def overflowing(kind: float) -> HATPlugin:
    """A plug-in whose blocks return nothing finite."""
    plugin = HATPlugin(32)
    nn.init.constant_(plugin.attention.blocks[-1].window.mlp.fc2.bias, kind)
    return plugin


def bits(x: torch.Tensor) -> torch.Tensor:
    return x.detach().view({4: torch.int32, 2: torch.int16}[x.element_size()])


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        pytest.param(mode, kind, marks=[pytest.mark.slow] if is_slow else [])
        for mode in ("training", "inference", "traced", "compiled")
        for kind in (torch.nan, torch.inf, 0.0)
        for is_slow in [mode == "compiled"]
    ],
)
def test_a_closed_gate_lets_the_input_through_bit_for_bit(kind, mode):
    """Whatever the blocks return, and zeros of either sign."""
    plugin = overflowing(kind).train(mode == "training")
    x = torch.randn(1, 32, 9, 12)
    x[:, ::2, ::2] = -0.0
    x[:, 1::2, ::2] = 0.0
    if mode == "traced":
        plugin = torch.jit.trace(plugin, x, check_trace=False)
    elif mode == "compiled":
        plugin = torch.compile(plugin, backend="aot_eager", fullgraph=True)
    with torch.set_grad_enabled(mode != "inference"):
        assert torch.equal(bits(plugin(x)), bits(x))
    torch._dynamo.reset()


@pytest.mark.parametrize("compiled", [False, True])
def test_a_closed_gate_gets_its_gradient_and_an_open_one_the_right_one(compiled):
    plugin = HATPlugin(32)
    nn.init.constant_(plugin.gate[16:].data, 0.5)
    x = torch.randn(2, 32, 9, 12)
    weight = torch.randn_like(x)
    change = (plugin.attention(x) - x).detach()
    call = torch.compile(plugin, backend="aot_eager", fullgraph=True) if compiled else plugin
    (call(x) * weight).sum().backward()
    torch.testing.assert_close(plugin.gate.grad, (weight * change).sum((0, 2, 3)))
    assert plugin.gate.grad[:16].any()
    assert all(p.grad.isfinite().all() for p in plugin.parameters())
    torch._dynamo.reset()


@pytest.mark.parametrize("autocast", [False, True])
def test_no_digits_cancel_in_half_precision(autocast):
    """A change far smaller than the map survives: it is never the difference of rounded sums."""
    exact = HATPlugin(32)
    nn.init.constant_(exact.gate, 1.0)
    half = copy.deepcopy(exact) if autocast else copy.deepcopy(exact).bfloat16()
    changes = []
    x = torch.randn(1, 32, 14, 21).bfloat16() * 256
    for plugin, inputs in ((exact, x.float()), (half, x)):
        with (
            torch.no_grad(),
            torch.autocast("cpu", torch.bfloat16, enabled=autocast and plugin is half),
        ):
            changes.append(plugin.attention(inputs).double() - inputs.double())
    assert (changes[1] - changes[0]).norm() < 0.05 * changes[0].norm()


def far_sight(stage: nn.Module, steps: int) -> float:
    """Accuracy, on fresh maps, of telling at one corner which of four stands at the other."""
    torch.manual_seed(3)
    channels = 32
    embed, head = nn.Embedding(4, channels), nn.Linear(channels, 4)
    model = nn.ModuleList((embed, stage, head))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)

    def logits(kinds):
        x = 0.1 * torch.randn(len(kinds), channels, 14, 21)
        x[:, :, :7, :7] += embed(kinds)[:, :, None, None]
        return head(stage(x)[:, :, -1, -1])

    for _ in range(steps):
        kinds = torch.randint(4, (32,))
        loss = nn.functional.cross_entropy(logits(kinds), kinds)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    kinds = torch.randint(4, (512,))
    with torch.no_grad():
        return (logits(kinds).argmax(1) == kinds).float().mean().item()


@pytest.mark.slow
def test_carriers_tell_one_corner_what_stands_at_the_other():
    """Which windows alone cannot: they stay at one in four."""
    assert far_sight(AttentionStage(32, 1, 1, window=7), steps=20) < 0.4
    assert far_sight(HATPlugin(32), steps=120) > 0.9
