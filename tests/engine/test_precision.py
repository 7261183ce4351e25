"""Training in bfloat16."""

import torch
from torch import nn

from mmfastervit.engine.precision import BFloat16OptimWrapper


def test_a_step_is_in_bfloat16_on_weights_that_are_not_and_are_not_copied_for_long():
    layer = nn.Linear(2, 2)
    before = layer.weight.detach().clone()
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(layer.parameters(), lr=1.0))
    with wrapper.optim_context(layer):
        assert not torch.is_autocast_cache_enabled()
        result = layer(torch.ones(1, 2))
    assert result.dtype == torch.bfloat16
    wrapper.update_params(result.float().sum())
    assert layer.weight.dtype == torch.float32
    torch.testing.assert_close(layer.weight, before - 1)
