"""Activation checkpointing that leaves a model exactly as a plain pass would."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def run_block(block: nn.Module, *inputs, with_cp: bool):
    """Call ``block(*inputs)``; ``with_cp`` recomputes it in backward to save its activations."""
    if not (with_cp and block.training and torch.is_grad_enabled()):
        return block(*inputs)
    if torch.compiler.is_compiling():  # recomputes without repeating what changes a buffer
        return checkpoint(block, *inputs, use_reentrant=False)
    return checkpoint(
        block,
        *inputs,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), running_statistics_kept(block)),
    )


@contextmanager
def running_statistics_kept(module: nn.Module) -> Iterator[None]:
    """Keep batch normalisation from counting a batch a second time when it is recomputed."""
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    before = [(norm.momentum, norm.num_batches_tracked.clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0  # running statistics go on as they are
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, before, strict=True):
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(batches)
