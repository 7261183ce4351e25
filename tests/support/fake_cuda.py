"""A GPU that is not there: torch's fake tensors have a device and no data."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class OnTheCPU(TorchDispatchMode):
    """Notes each operation that makes a tensor on the CPU, but for single numbers."""

    def __init__(self):
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.seen += [
            f"{func} {tuple(value.shape)}"
            for value in tree_leaves(out)
            if isinstance(value, Tensor) and value.device.type == "cpu" and value.ndim
        ]
        return out


@contextmanager
def on_fake_cuda(dtype: torch.dtype = torch.float32) -> Iterator[None]:
    """New tensors are on a GPU that is not there, of this precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with FakeTensorMode(), torch.device("cuda"):
            yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def as_fake(model: nn.Module) -> Iterator[nn.Module]:
    """A real model with fake weights in place of its own; inside :func:`on_fake_cuda`.

    Meanwhile ``module.to(...)`` of any model makes new weights: torch itself can't put what a
    conversion gives in the place of fake ones.
    """

    def convert(self: nn.Module, fn, recurse: bool = True) -> nn.Module:
        for module in self.children():
            module._apply(fn)
        for name, weight in self._parameters.items():
            if weight is not None:
                self._parameters[name] = nn.Parameter(fn(weight), weight.requires_grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    before, nn.Module._apply = nn.Module._apply, convert
    try:
        yield model._apply(lambda x: torch.empty(x.shape, dtype=x.dtype, device="cuda"))
    finally:
        nn.Module._apply = before
