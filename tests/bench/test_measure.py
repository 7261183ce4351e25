"""Counts of operations against sums by hand; timing in turns."""

from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.autograd import DeviceType

from mmfastervit.bench import measure
from mmfastervit.bench.cases import time_by_kind
from mmfastervit.bench.measure import (
    attention_kernels,
    import_seconds,
    kind_of,
    matrix_rate,
    operations_by_kind,
    peak_memory,
    ratio,
    seconds_by_kind,
    spread,
    time_interleaved,
)
from mmfastervit.models import deploy
from mmfastervit.models.layers import linear
from mmfastervit.models.layers.attention import Attention
from mmfastervit.models.layers.linear import Way

MIB = 2**20


def count_operations(function) -> float:
    """All operations of a call, in 10**9."""
    return sum(operations_by_kind(function).values())


def test_convolutions_count_two_operations_a_product():
    conv = nn.Conv2d(3, 8, 3, padding=1)
    counted = count_operations(partial(conv, torch.zeros(2, 3, 10, 20))) * 1e9
    assert counted == 2 * 2 * 10 * 20 * 8 * 3 * 9


def test_attention_counts_both_of_its_products():
    batch, tokens, channels = 6, 16, 32

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = Attention(channels, num_heads=4)

        def forward(self, x):
            return self.attention(x, torch.zeros(4, tokens, tokens))

    linear = 2 * tokens * channels * 4 * channels  # qkv and the projection
    attention = 2 * 2 * tokens * tokens * channels
    expected = batch * (linear + attention)
    counted = count_operations(partial(Layer(), torch.zeros(batch, tokens, channels))) * 1e9
    assert counted == pytest.approx(expected)


def test_functions_are_timed_in_turns():
    calls = []
    functions = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    seconds = time_interleaved(functions, rounds=3, warm_up=1)
    assert calls == ["a", "b"] * 4
    assert [len(values) for values in seconds.values()] == [3, 3]


def test_ratio_is_taken_round_by_round():
    assert ratio([2.0, 30.0, 4.0], [1.0, 10.0, 4.0]) == pytest.approx(2.0)


def test_the_matrix_rate_is_that_of_the_fastest_product(monkeypatch):
    seconds = iter([4.0, 2.0, 8.0, *[5.0] * 7])
    monkeypatch.setattr(measure, "time_once", lambda function, device: next(seconds))
    assert matrix_rate(lambda: torch.ones(1), 6.0, "cuda") == 3.0


def test_operations_count_attention():
    class Attend(nn.Module):
        def forward(self, x):
            return nn.functional.scaled_dot_product_attention(x, x, x)

    x = torch.randn(2, 3, 50, 16)
    assert count_operations(partial(Attend(), x)) == pytest.approx(
        2 * 3 * 2 * (2 * 50 * 50 * 16) / 1e9
    )


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(32, 64), (8, 32)),
        (nn.Conv2d(8, 16, 3, stride=2), (2, 8, 9, 9)),
        (nn.Conv2d(8, 8, 3, groups=8), (2, 8, 9, 9)),
        (nn.ConvTranspose2d(8, 4, 3, groups=2), (2, 8, 9, 9)),
    ],
    ids=["linear", "convolution", "depthwise", "transposed"],
)
def test_operations_of_a_training_step_are_three_of_inference(layer, shape):
    x = torch.randn(shape, requires_grad=True)
    inference = count_operations(partial(layer, x))
    assert count_operations(lambda: layer(x).sum().backward()) == pytest.approx(3 * inference)


class OneOfEach(nn.Module):
    """A convolution, attention, a linear layer and an activation."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 8, 3, padding=1, bias=False)
        self.linear = nn.Linear(8, 16)

    def forward(self, x):
        tokens = self.conv(x).flatten(2).mT  # (2, 36, 8)
        heads = tokens[:, None]
        attended = nn.functional.scaled_dot_product_attention(heads, heads, heads)
        return self.linear(attended).relu()


@pytest.mark.parametrize("trains", [False, True])
def test_operations_and_time_are_sorted_by_kind(trains):
    model = OneOfEach().train(trains)
    x = torch.randn(2, 4, 6, 6, requires_grad=True)

    def call():
        y = model(x)
        if trains:
            y.sum().backward()

    pixels, steps = 2 * 36, 3 if trains else 1
    expected = dict(convolution=4 * 8 * 9, linear=8 * 16, attention=2 * 36 * 8)
    operations = {kind: 2 * pixels * each * steps / 1e9 for kind, each in expected.items()}
    assert operations_by_kind(call) == pytest.approx(operations)
    seconds = seconds_by_kind(call)
    assert seconds.keys() == {*expected, "other"}
    assert all(part > 0 for part in seconds.values())


def test_the_time_of_a_gpu_counts_once(monkeypatch):
    """The profiler lists a kernel's time with its operation and again under the kernel's name."""

    def event(key, device_type, microseconds):
        return SimpleNamespace(
            key=key, device_type=device_type, self_device_time_total=microseconds,
            self_cpu_time_total=7.0, input_shapes=[],
        )  # fmt: skip

    events = [
        event("aten::mm", DeviceType.CPU, 30.0),
        event("aten::gelu", DeviceType.CPU, 10.0),
        event("sm90_gemm_f16", DeviceType.CUDA, 30.0),
        event("gelu_kernel", DeviceType.CUDA, 10.0),
    ]
    profiler = SimpleNamespace(key_averages=lambda **options: events)
    monkeypatch.setattr(measure, "profile", lambda **options: nullcontext(profiler))
    seconds = seconds_by_kind(lambda: None, "cuda")
    assert seconds == pytest.approx(dict(linear=30e-6, other=10e-6))
    for one in events:
        one.self_device_time_total = 0.0  # where the driver lets nobody profile its kernels
    assert time_by_kind(lambda: None, dict(linear=1.0), "cuda") == {}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aten::mkldnn_convolution", "convolution"),
        ("aten::convolution_backward", "convolution"),
        ("aten.addmm", "linear"),
        ("aten::_scaled_dot_product_flash_attention_for_cpu", "attention"),
        ("aten::bmm", "attention"),
        ("aten::_safe_softmax", "attention"),
        ("aten::gelu", "other"),
    ],
)
def test_kinds_of_operations(name, kind):
    assert kind_of(name) == kind


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("trains", [False, True])
def test_a_linear_layer_is_one_whichever_product_it_takes(monkeypatch, way, trains):
    monkeypatch.setattr(linear, "is_worthwhile", lambda other, dtype: other is way)
    layer = linear.Linear(16, 32).train(trains)
    x = torch.randn(1, 300, 16, requires_grad=trains)

    def call():
        with torch.set_grad_enabled(trains):
            y = layer(x) if trains else deploy(layer)(x)
        if trains:
            y.sum().backward()

    assert operations_by_kind(call) == {"linear": 2 * 300 * 16 * 32 * (3 if trains else 1) / 1e9}
    seconds = seconds_by_kind(call)
    assert seconds["linear"] > 10 * seconds.get("convolution", 0)  # its node in the graph


def test_the_kernel_of_attention_is_named():
    x = torch.randn(1, 2, 5, 8)
    attend = nn.functional.scaled_dot_product_attention
    (kernel,) = attention_kernels(lambda: attend(x, x, x))
    assert kernel.startswith("scaled_dot_product_flash_attention")
    assert attention_kernels(lambda: x @ x.mT) == ("math",)


def test_memory_is_the_peak_of_what_lives_at_once():
    def prepare():
        kept = torch.ones(2 * MIB)  # of 4 bytes

        def call():
            for _ in range(3):
                (kept + 1).sum()

        return call

    assert peak_memory(prepare) == pytest.approx(16, abs=0.1)


def test_spread_is_that_of_the_quartiles():
    assert spread([1.0]) == 0
    assert spread([8.0, 9.0, 10.0, 11.0, 12.0]) == pytest.approx(0.2)


@pytest.mark.slow
def test_importing_takes_some_time():
    """How long is for --target to judge."""
    assert 0 < import_seconds() < 60
