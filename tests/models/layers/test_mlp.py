"""The MLP that computes GELU again in backward is the plain one in all but memory."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from mmfastervit.models.layers.linear import Way
from mmfastervit.models.layers.mlp import GELULinear, LeanMlp
from mmfastervit.models.layers.recomputation import run_block


def plain(mlp: LeanMlp, x: torch.Tensor) -> torch.Tensor:
    return mlp.fc2(nn.functional.gelu(mlp.fc1(x)))


def gradients(mlp: LeanMlp, y: torch.Tensor, x: torch.Tensor) -> list[torch.Tensor]:
    learned = [p for p in mlp.parameters() if p.requires_grad]
    return list(torch.autograd.grad(y.float().square().sum(), [x, *learned]))


@pytest.fixture
def mlp() -> LeanMlp:
    return LeanMlp(6, 24)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 5, 6, requires_grad=True)


def recomputes(call, *inputs) -> bool:
    return "GELULinear" in type(call(*inputs).grad_fn).__name__


@pytest.mark.parametrize("way", [Way.TORCH, Way.CONVOLUTION])
def test_first_and_second_derivatives_are_those_of_differences(way):
    inputs = [torch.randn(s, dtype=torch.float64) for s in ((2, 3, 5), (4, 5), (4,))]
    inputs = [tensor.requires_grad_() for tensor in inputs]
    assert torch.autograd.gradcheck(GELULinear.apply, (*inputs, way))
    assert torch.autograd.gradgradcheck(GELULinear.apply, (*inputs, way))


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("frozen", ["", "fc1", "fc2"])
def test_gradients_are_those_of_the_plain_layers(mlp, x, autocast, frozen):
    if frozen:
        getattr(mlp, frozen).requires_grad_(False)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        assert recomputes(mlp, x)
        outputs = mlp(x), plain(mlp, x)
    assert outputs[0].dtype == outputs[1].dtype
    for actual, expected in zip(*(gradients(mlp, y, x) for y in outputs), strict=True):
        torch.testing.assert_close(actual, expected)


def test_one_hidden_tensor_is_kept_instead_of_two(mlp, x):
    def hidden_tensors(call) -> int:
        kept = set()

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            if tensor.numel() == 2 * 5 * 24:
                kept.add(tensor.data_ptr())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            y = call(x)
            return len(kept) * bool(y.requires_grad)

    assert hidden_tensors(partial(plain, mlp)) == 2
    assert hidden_tensors(mlp) == 1


def add_hook(mlp: LeanMlp) -> None:
    mlp.fc2.register_forward_hook(lambda module, inputs, output: output + 1)


def replace_layer(mlp: LeanMlp) -> None:
    mlp.fc2 = nn.Sequential(copy.deepcopy(mlp.fc2), nn.Softplus())


def change_activation(mlp: LeanMlp) -> None:
    mlp.act = nn.ReLU()


def replace_forward(mlp: LeanMlp) -> None:
    forward = mlp.fc2.forward
    mlp.fc2.forward = lambda x: forward(x) + 1


def replace_forward_of_activation(mlp: LeanMlp) -> None:
    mlp.act.forward = torch.relu


def parametrize(mlp: LeanMlp) -> None:
    weight_norm(mlp.fc2)


@pytest.mark.parametrize(
    "change",
    [
        add_hook,
        replace_layer,
        change_activation,
        replace_forward,
        replace_forward_of_activation,
        parametrize,
    ],
)
def test_layers_that_were_changed_are_called(mlp, x, change):
    change(mlp)
    assert not recomputes(mlp, x)
    torch.testing.assert_close(mlp(x), mlp.fc2(mlp.act(mlp.fc1(x))))


@pytest.mark.parametrize(
    "register",
    [
        nn.modules.module.register_module_forward_pre_hook,
        nn.modules.module.register_module_forward_hook,
        nn.modules.module.register_module_full_backward_pre_hook,
        nn.modules.module.register_module_full_backward_hook,
    ],
)
def test_hooks_on_all_modules_see_every_layer(mlp, x, register):
    seen = []
    handle = register(lambda module, *_: seen.append(module))
    try:
        mlp(x).sum().backward()
    finally:
        handle.remove()
    assert {mlp.fc1, mlp.act, mlp.fc2} <= set(seen)
    assert recomputes(mlp, x)


def test_nothing_is_recomputed_in_inference_or_twice(mlp, x):
    with torch.no_grad():
        torch.testing.assert_close(mlp(x), plain(mlp, x))
    seen = []
    mlp.register_forward_hook(lambda module, inputs, output: seen.append(output.grad_fn))
    run_block(mlp, x, with_cp=True).sum().backward()
    assert not any("GELULinear" in type(node).__name__ for node in seen)
