"""One graph for any size: compiling and exporting without breaks, and few compilations."""

import copy
import random

import pytest
import torch
from mmengine.analysis import get_model_complexity_info
from torch._dynamo.utils import counters

from mmfastervit import FasterViT

SIZES = [(96, 130), (224, 224), (33, 40), (64, 501)]


class CountingBackend:
    """Runs the traced graph as it is, and counts how many there were."""

    def __init__(self):
        self.compilations = 0

    def __call__(self, graph, inputs):
        self.compilations += 1
        return graph.forward


@pytest.fixture
def backend():
    torch._dynamo.reset()
    counters.clear()
    yield CountingBackend()
    torch._dynamo.reset()


def assert_near(actual, expected) -> None:
    for a, b in zip(actual, expected, strict=True):
        assert (a - b).abs().max() <= 1e-4 * b.abs().max()


@pytest.mark.slow
@torch.no_grad()
def test_few_compilations_serve_twenty_sizes_in_eval(tiny_arch, backend):
    model = FasterViT(tiny_arch).eval()
    compiled = torch.compile(model, fullgraph=True, dynamic=True, backend=backend)
    draw = random.Random(0)
    sizes = SIZES + [(draw.randint(33, 400), draw.randint(33, 400)) for _ in range(16)]
    for size in sizes:
        images = torch.randn(2, 3, *size)
        assert_near(compiled(images), model(images))
    assert backend.compilations <= 3
    assert not counters["graph_break"]


def test_training_is_one_graph(tiny_arch, backend):
    model = FasterViT(tiny_arch, drop_path_rate=0.1).train()
    compiled = torch.compile(model, fullgraph=True, dynamic=True, backend=backend)
    for size in SIZES[:2]:
        model.zero_grad()
        sum(y.square().mean() for y in compiled(torch.randn(2, 3, *size))).backward()
        gradients = {name: p.grad for name, p in model.named_parameters()}
        missing = [name for name, grad in gradients.items() if grad is None or not grad.any()]
        assert not missing
    assert backend.compilations <= 2


@pytest.mark.slow
def test_checkpointed_training_compiles_and_counts_a_batch_once(tiny_arch):
    torch._dynamo.reset()
    eager = FasterViT(tiny_arch, with_cp=True, drop_path_rate=0.0).train()
    model = copy.deepcopy(eager)
    images = torch.randn(2, 3, 64, 96)
    for network in (eager, torch.compile(model, backend="aot_eager", fullgraph=True)):
        sum(y[:, 0].square().mean() for y in network(images)).backward()
    assert_near(model.state_dict().values(), eager.state_dict().values())
    gradients = [[p.grad.flatten() for p in net.parameters()] for net in (model, eager)]
    assert_near([torch.cat(gradients[0])], [torch.cat(gradients[1])])


@torch.no_grad()
def test_tracing_and_counting_tools_still_read_the_model(tiny_arch):
    model = FasterViT(tiny_arch).eval()
    images = torch.randn(1, 3, 70, 90)
    expected = model(images)
    assert_near(torch.jit.trace(model, images)(images), expected)
    assert get_model_complexity_info(model, (3, 70, 90), show_table=False)["flops"] > 0


@pytest.mark.slow
@torch.no_grad()
def test_exported_program_takes_any_size_of_several_windows(tiny_arch):
    model = FasterViT(tiny_arch).eval()
    any_size = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    program = torch.export.export(
        model, (torch.randn(1, 3, 250, 330),), dynamic_shapes=(any_size,), strict=False
    )
    for size in ((96, 230), (225, 41), (448, 448), (64, 501)):
        images = torch.randn(1, 3, *size)
        assert_near(program.module()(images), model(images))
