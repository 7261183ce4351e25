"""Our linear layer is torch's to rounding, whichever product it takes, and only where it may."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmfastervit.models import deploy
from mmfastervit.models.layers import linear
from mmfastervit.models.layers.linear import Linear, Way, multiply, multiply_backward
from mmfastervit.models.layers.mlp import LeanMlp

ROWS, CHANNELS, FEATURES = 2 * linear.MIN_ROWS, 24, 40
OTHERS = (Way.CONVOLUTION, Way.PACKED)


@pytest.fixture(params=[Way.TORCH, *OTHERS], ids=lambda way: way.value)
def fastest(request, monkeypatch) -> Way:
    """The product that this processor is said to be fastest with."""
    monkeypatch.setattr(linear, "is_worthwhile", lambda way, dtype: way is request.param)
    return request.param


@pytest.fixture
def layer() -> Linear:
    return Linear(CHANNELS, FEATURES)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, ROWS // 2, CHANNELS)


def assert_alike(actual: torch.Tensor, expected: torch.Tensor, limit: float = 1e-6) -> None:
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    assert actual.is_contiguous()
    assert (actual - expected).abs().max() <= limit * expected.abs().max()


def deployed(layer: nn.Module) -> nn.Module:
    return deploy(layer.eval())


def torchs(layer: Linear, x: torch.Tensor) -> torch.Tensor:
    return F.linear(x, layer.weight, layer.bias)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(ROWS,), (2, ROWS), (2, 3, ROWS), (1, 1), (0, 4)], ids=str)
@torch.no_grad()
def test_inference_is_that_of_torch(fastest, shape, bias):
    layer, x = Linear(CHANNELS, FEATURES, bias), torch.randn(*shape, CHANNELS)
    for each in (x, x.transpose(0, -2).contiguous().transpose(0, -2)):
        if x.numel() == 0:
            assert layer(each).shape == deployed(copy.deepcopy(layer))(each).shape
            continue
        assert_alike(layer(each), torchs(layer, each))
        assert_alike(deployed(copy.deepcopy(layer))(each), torchs(layer, each))


def test_the_fastest_product_is_taken_where_it_may(fastest, layer, x):
    few = x[:, : linear.MIN_ROWS // 2 - 1]
    assert layer.way(x) is (Way.CONVOLUTION if fastest is Way.CONVOLUTION else Way.TORCH)
    assert layer.way(few) is Way.TORCH
    packed = Way.PACKED if fastest is Way.PACKED else Way.TORCH
    assert deployed(layer).way(x) is layer.way(few) is packed
    assert layer.way(x.clone().requires_grad_()) is not Way.PACKED  # which has no backward pass
    with torch.backends.mkldnn.flags(enabled=False):
        assert layer.way(x) is Way.TORCH


def operations(call) -> set[str]:
    """Names of the operations that a call runs."""
    with torch.profiler.profile(acc_events=True) as profiler:
        call()
    return {event.key for event in profiler.key_averages()}


RUNS = {
    Way.TORCH: "aten::linear",
    Way.CONVOLUTION: "aten::conv2d",
    Way.PACKED: "mkldnn::_linear_pointwise",
}


@torch.no_grad()
def test_what_was_chosen_runs(fastest):
    mlp, x = LeanMlp(CHANNELS, FEATURES), torch.randn(1, ROWS, CHANNELS)
    if fastest is Way.PACKED:
        deployed(mlp)
    seen = operations(lambda: mlp(x))
    assert {name for name in RUNS.values() if name in seen} == {RUNS[fastest]}
    assert ("aten::gelu" in seen) == (fastest is not Way.PACKED)  # else it goes along


def test_torchs_product_is_taken_bit_for_bit(fastest, layer, x):
    if fastest is Way.TORCH:
        assert torch.equal(layer(x), torchs(layer, x))
    with linear.torch_products():
        assert torch.equal(layer(x), torchs(layer, x))


def test_gradients_are_those_of_torch(fastest, layer, x):
    x.requires_grad_()
    inputs = x, layer.weight, layer.bias
    grad = torch.randn(*x.shape[:-1], FEATURES)
    actual = torch.autograd.grad(layer(x), inputs, grad)
    for a, b in zip(actual, torch.autograd.grad(torchs(layer, x), inputs, grad), strict=True):
        assert_alike(a, b, 2e-6)


@pytest.mark.parametrize("way", [Way.TORCH, Way.CONVOLUTION])
@pytest.mark.parametrize("wanted", [(True, True, True), (False, True, False), (True, False, True)])
def test_gradients_by_hand_are_those_of_autograd(way, wanted, layer, x):
    inputs = x.requires_grad_(), layer.weight, layer.bias
    grad = torch.randn(*x.shape[:-1], FEATURES)
    expected = torch.autograd.grad(multiply(*inputs, way), inputs, grad)
    actual = multiply_backward(grad, x, layer.weight, wanted, way)
    for a, b, is_wanted in zip(actual, expected, wanted, strict=True):
        assert (a is not None) == is_wanted
        if a is not None:
            assert_alike(a, b)


def test_a_deployed_layer_still_hands_gradients_to_its_input(fastest, layer, x):
    expected = torch.autograd.grad(torchs(layer, x.requires_grad_()).sum(), x)[0]
    assert_alike(torch.autograd.grad(deployed(layer)(x).sum(), x)[0], expected, 2e-6)


@torch.no_grad()
def test_weights_that_are_replaced_or_written_to_count(fastest, layer, x):
    deployed(layer)(x)
    layer.weight.mul_(2)
    assert_alike(layer(x), torchs(layer, x))
    other = {"weight": torch.randn(FEATURES, CHANNELS), "bias": torch.randn(FEATURES)}
    assert_alike(torch.func.functional_call(layer, other, (x,)), F.linear(x, *other.values()))
    layer.double()
    assert_alike(layer(x.double()), torchs(layer, x.double()))


@torch.no_grad()
def test_copies_and_pickles_compute_the_same(fastest, layer, x):
    expected = deployed(layer)(x)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x), expected)
        assert list(other.state_dict()) == ["weight", "bias"]


@pytest.mark.parametrize("is_deployed", [False, True])
@torch.no_grad()
def test_autocast_gives_its_precision(fastest, layer, x, is_deployed):
    if is_deployed:
        deployed(layer)
    with torch.autocast("cpu", torch.bfloat16):
        assert_alike(layer(x), torchs(layer, x), 1e-2)


@torch.no_grad()
def test_inference_mode_does_not_spoil_what_comes_after(fastest, layer, x):
    deployed(layer)
    with torch.inference_mode():
        layer(x)
    assert_alike(layer(x), torchs(layer, x))
    with torch.enable_grad():
        layer(x.requires_grad_()).sum().backward()
    assert x.grad.abs().sum() > 0


@torch.no_grad()
def test_gelu_goes_along(fastest):
    mlp, x = LeanMlp(CHANNELS, FEATURES), torch.randn(1, ROWS, CHANNELS)
    expected = mlp.fc2(F.gelu(mlp.fc1(x)))
    assert_alike(deployed(mlp)(x), expected)
    seen = []
    mlp.act.register_forward_hook(lambda *_: seen.append(True))
    assert_alike(mlp(x), expected)
    assert seen


@torch.no_grad()
def test_graphs_have_linear_layers(fastest, layer, x):
    deployed(layer)
    program = torch.export.export(layer, (x,)).run_decompositions({})
    called = [str(n.target) for n in program.graph.nodes if n.op == "call_function"]
    assert not any("conv" in name or "mkldnn" in name for name in called)
    traced = str(torch.jit.trace(layer, x).graph)
    assert "aten::linear" in traced
    assert "conv" not in traced


@pytest.mark.parametrize("way", OTHERS)
@pytest.mark.parametrize("dtype", linear.PRECISIONS)
def test_the_choice_is_measured_and_draws_no_random_numbers(way, dtype):
    if not linear.is_known(torch.zeros(1), dtype):
        pytest.skip("this processor does not multiply bfloat16")
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    assert linear.speed_over_torch.__wrapped__(way, dtype) > 0
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads


def test_other_precisions_and_devices_are_torchs(layer):
    assert layer.double().way(torch.zeros(ROWS, CHANNELS).double()) is Way.TORCH
    assert layer.to("meta")(torch.zeros(ROWS, CHANNELS, device="meta")).shape == (ROWS, FEATURES)
