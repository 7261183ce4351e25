"""The ways to pad attention compute the same."""

import pytest
import torch
from support.small_benchmark import build
from torch import Tensor

from mmfastervit.bench.gpu.padding import AS_IT_IS, Attention, padding_pays, ways_to_pad
from mmfastervit.models import deploy


def attention(keys: int, windows: int = 3) -> Attention:
    """Attention of 53 queries, or so, whose windows see different keys."""
    torch.manual_seed(0)
    shape = windows, 2, keys, 8
    bias = torch.randn(windows, 2, keys, keys)
    bias[0, ..., -1] = -torch.inf
    return Attention(*(torch.randn(shape) for _ in range(3)), bias)


def rows_of(bias: Tensor) -> int:
    """Numbers from the beginning of a row to that of the next."""
    return bias.stride(-2)


@pytest.mark.parametrize("keys", [53, 49, 100])
def test_padding_changes_no_output(keys):
    plain = attention(keys)
    ways = ways_to_pad(plain)
    assert len(ways) > 3
    for way, padded in ways.items():
        torch.testing.assert_close(padded()[:, :, :keys], plain(), msg=way)


def test_53_keys_are_padded_to_56_and_rows_to_multiples():
    ways = ways_to_pad(attention(53))
    assert list(ways) == [
        AS_IT_IS, "bias in rows of 56", "bias in rows of 64", "56 keys", "56 keys and queries",
    ]  # fmt: skip
    assert rows_of(ways["bias in rows of 56"].bias) == 56
    assert rows_of(ways["bias in rows of 64"].bias) == 64
    assert ways["bias in rows of 64"].bias.shape[-1] == 53
    assert ways["56 keys"].shape == (3, 2, 53, 56)
    assert ways["56 keys and queries"].shape == (3, 2, 56, 56)


def test_nothing_is_padded_where_the_keys_are_a_multiple():
    assert list(ways_to_pad(attention(64))) == [AS_IT_IS]
    assert list(ways_to_pad(attention(16))) == [AS_IT_IS]


def test_the_shapes_are_those_of_a_pass():
    model = deploy(build("any", (64, 64)).eval())
    images = torch.randn(2, 3, 224, 224)  # 14x14 in the third stage: four windows an image

    @torch.no_grad()
    def call():
        model(images)

    found = padding_pays(call, "as told", "cpu", rounds=1)
    plain = {p.shape: p.calls for p in found if p.way == AS_IT_IS}
    # among 16 carriers, in windows of 49 pixels and 4 carriers, in the one window of the last stage
    assert plain == {(2, 2, 16, 16): 1, (8, 2, 53, 53): 1, (2, 2, 49, 49): 1}
    for padded in found:
        assert padded.seconds > 0
        assert padded.difference < 1e-5
        assert padded.kernels
        assert padded.ratio == 1 or padded.way != AS_IT_IS
