"""Activation checkpointing that leaves a model exactly as a plain pass would."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from . import graph

_checkpointing = ContextVar("checkpointing", default=False)


def is_checkpointing() -> bool:
    """Whether the block at work is one that backward runs, or is just running, again."""
    return _checkpointing.get()


def run_block(block: nn.Module, *inputs, with_cp: bool, part: Callable | None = None):
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
    if not graph.is_fixed():  # a compiler recomputes without repeating what changes a buffer
        return checkpoint(call, *inputs, use_reentrant=False)
    return checkpoint(
        call,
        *inputs,
        use_reentrant=False,
        context_fn=lambda: (checkpointing(block), checkpointing(block, again=True)),
    )


@contextmanager
def checkpointing(block: nn.Module, again: bool = False) -> Iterator[None]:
    """Let :func:`is_checkpointing` be true; ``again`` leaves the state of the block as it is.

    Batch normalisation would count a batch a second time when it is recomputed.
    """
    modules = block.modules() if again else ()
    norms = [m for m in modules if isinstance(m, _BatchNorm) and m.track_running_stats]
    before = [(norm.momentum, norm.num_batches_tracked.clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0  # running statistics go on as they are
    token = _checkpointing.set(True)
    try:
        yield
    finally:
        _checkpointing.reset(token)
        for norm, (momentum, batches) in zip(norms, before, strict=True):
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(batches)
