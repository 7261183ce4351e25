"""Shared fixtures: deterministic seeds, and the reference implementation as a black box."""

from collections.abc import Iterator

import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.utils import ManagerMixin
from support.checkpoints import add_extras
from support.oracle import build_oracle
from torch import nn

from mmfastervit import FasterViT
from mmfastervit.checkpoint.names import to_published


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _runs_share_nothing() -> Iterator[None]:
    """mmengine keeps logs and pictures by a run's name: its second of the clock, unless given."""
    yield
    for kind in _kinds(ManagerMixin):
        if kind is not DefaultScope:
            kind._instance_dict.clear()


def _kinds(base: type) -> Iterator[type]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)


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


@pytest.fixture(scope="session")
def reference() -> nn.Module:
    """The smallest model of the reference implementation."""
    return build_oracle("fastervit_0")


@pytest.fixture(scope="session")
def published(reference) -> dict:
    """What a published file holds."""
    return reference.state_dict()


@pytest.fixture
def tiny(tiny_arch) -> FasterViT:
    """A model whose every weight differs from a fresh model's."""
    model = FasterViT(tiny_arch)
    with torch.no_grad():
        for value in model.state_dict().values():
            value.add_(torch.randint(1, 9, value.shape).to(value.dtype))
    return model


@pytest.fixture
def tiny_published(tiny) -> dict:
    """The tiny model's weights as a published file has them: with classifier and tables."""
    return add_extras(to_published(tiny.state_dict()), tiny.arch.windows)
