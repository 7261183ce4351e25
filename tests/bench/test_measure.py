"""Counts of operations against sums by hand; timing in turns."""

import pytest
import torch
from torch import nn

from mmfastervit import measure
from mmfastervit.bench.measure import (
    count_gflops,
    count_parameters,
    matrix_rate,
    ratio,
    time_interleaved,
)
from mmfastervit.models.layers.attention import Attention


def test_convolutions_count_two_operations_a_product():
    conv = nn.Conv2d(3, 8, 3, padding=1)
    assert count_gflops(conv, torch.zeros(2, 3, 10, 20)) * 1e9 == 2 * 2 * 10 * 20 * 8 * 3 * 9
    assert count_parameters(conv) == 8 * 3 * 9 + 8


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
    counted = count_gflops(Layer(), torch.zeros(batch, tokens, channels)) * 1e9
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
