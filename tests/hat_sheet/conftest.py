"""What the tests of this folder look at."""

import pytest
import torch

from mmfastervit import FasterViT

ARCH = dict(
    dim=8,
    in_dim=8,
    depths=(1, 1, 2, 1),
    num_heads=(1, 1, 2, 2),
    layer_scale=0.5,
    propagate=True,
)


@pytest.fixture
def network() -> FasterViT:
    """A small FasterViT whose pixels listen to carriers as much as to pixels."""
    torch.manual_seed(0)
    model = FasterViT(ARCH).eval()
    for block in model.stages[2].blocks:
        heads = torch.full((2,), 8.0)
        block.carrier_key_bias = torch.nn.Parameter(heads)
    return model
