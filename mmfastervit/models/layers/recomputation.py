"""Activation checkpointing that leaves a model exactly as a plain pass would."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from . import graph

_checkpointing = ContextVar("checkpointing", default=False)


def is_checkpointing() -> bool:
    """Whether the block at work is one that backward runs, or is just running, again."""
    return _checkpointing.get()


def run_block(block: nn.Module, *inputs: Any, with_cp: bool, part: Callable | None = None) -> Any:
    """Call ``block(*inputs)``; ``with_cp`` recomputes it in backward to save its activations.

    Args:
        block: What is called, or owns what is called.
        inputs: Of the call.
        with_cp: Whether to recompute, where there is a backward pass.
        part: A method of the block to call instead of all of it.
    """
    call = block if part is None else part
    if not (with_cp and block.training and torch.is_grad_enabled()):
        return call(*inputs)
    options: dict[str, Any] = {}
    if graph.is_fixed():  # a compiler recomputes without repeating what changes a buffer
        options["context_fn"] = lambda: (checkpointing(block), checkpointing(block, again=True))
    return checkpoint(call, *inputs, use_reentrant=False, **options)


@contextmanager
def checkpointing(block: nn.Module, again: bool = False) -> Iterator[None]:
    """Let :func:`is_checkpointing` be true; ``again`` leaves the state of the block as it is.

    Batch normalisation would count a batch a second time when it is recomputed.
    """
    modules = block.modules() if again else ()
    before = [
        (m, m.momentum, m.num_batches_tracked, m.num_batches_tracked.clone())
        for m in modules
        if isinstance(m, _BatchNorm) and m.num_batches_tracked is not None
    ]
    for norm, *_ in before:
        norm.momentum = 0.0  # running statistics go on as they are
    token = _checkpointing.set(True)
    try:
        yield
    finally:
        _checkpointing.reset(token)
        for norm, momentum, counter, batches in before:
            norm.momentum = momentum
            counter.copy_(batches)
