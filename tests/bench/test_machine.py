"""A run tells its machine."""

import pytest
import timm
import torch

import mmfastervit
from mmfastervit.bench.machine import machine, settle_tf32, version_of


@pytest.fixture
def tf32():
    """TF32 switched on, and back afterwards."""
    switches = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [switch.allow_tf32 for switch in switches]
    for switch in switches:
        switch.allow_tf32 = True
    yield
    for switch, value in zip(switches, before, strict=True):
        switch.allow_tf32 = value


def test_the_machine_says_with_what_it_ran(monkeypatch, tf32):
    found = machine("cpu")
    assert found["mmfastervit"] == mmfastervit.__version__
    assert found["timm"] == timm.__version__
    assert found["torch"] == torch.__version__
    assert found["cores"] >= 1
    assert version_of("no-such-package") is None
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    assert machine("cuda")["tf32_in_matrix_products"]
    settle_tf32()
    assert not machine("cuda")["tf32_in_matrix_products"]
    assert not machine("cuda")["tf32_in_convolutions"]
    assert machine("cuda")["gpu"] == "a GPU"
