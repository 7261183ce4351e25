"""Shared fixtures: deterministic seeds, and the reference implementation as a black box."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def tiny_arch() -> dict:
    """An architecture small enough for property tests: carriers, layer scale, propagation."""
    return dict(
        dim=8,
        in_dim=8,
        depths=(1, 1, 2, 1),
        num_heads=(1, 1, 2, 2),
        layer_scale=0.5,
        propagate=True,
    )
