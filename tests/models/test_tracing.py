"""Tracing: at any size, seen before or not, a trace computes what the model does."""

import pytest
import torch
from support.little_detectors import config_of

from mmfastervit import HATPlugin, deploy
from mmfastervit.export import MapsOf, build_part


def assert_equal_outputs(traced, module, images) -> None:
    for ours, expected in zip(traced(images), module(images), strict=True):
        assert (ours - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("deployed", [False, True], ids=["plain", "deployed"])
@pytest.mark.parametrize("grad", [False, True], ids=["no-grad", "grad"])
@pytest.mark.parametrize("size", [(70, 90), (224, 224), (250, 330)], ids=str)
def test_a_size_that_was_not_seen_before_is_traced_and_checked(tiny, size, grad, deployed):
    model = tiny.eval()
    if deployed:
        model.switch_to_deploy()
    with torch.set_grad_enabled(grad):
        traced = torch.jit.trace(model, torch.randn(1, 3, *size))
        assert_equal_outputs(traced, model, torch.randn(1, 3, *size))


@torch.no_grad()
def test_a_trace_holds_its_tables_and_does_not_compute_them(tiny):
    model = tiny.eval()
    images = torch.randn(1, 3, 250, 330)
    fresh = str(torch.jit.trace(model, images).graph)
    seen = str(torch.jit.trace(model, images).graph)
    assert fresh.count("aten::log2") == seen.count("aten::log2") == 0


@torch.no_grad()
def test_a_trace_in_inference_mode_is_that_of_the_model(tiny):
    model = tiny.eval()
    with torch.inference_mode():
        traced = torch.jit.trace(model, torch.randn(1, 3, 100, 64))
        assert_equal_outputs(traced, model, torch.randn(1, 3, 100, 64))


@pytest.mark.parametrize("deployed", [False, True], ids=["plain", "deployed"])
@torch.no_grad()
def test_backbone_and_neck_of_a_detector_are_traced(deployed):
    part = build_part(config_of("retinanet"), "neck")
    if deployed:
        deploy(part)
    assert isinstance(part, MapsOf)
    traced = torch.jit.trace(part, torch.randn(1, 3, 125, 190))
    assert_equal_outputs(traced, part, torch.randn(1, 3, 125, 190))


@torch.no_grad()
def test_a_plugin_is_traced():
    plugin = HATPlugin(32, depth=2).eval()
    x = torch.randn(1, 32, 20, 30)
    traced = torch.jit.trace(plugin, x)
    assert torch.allclose(traced(x), plugin(x), atol=1e-5)
