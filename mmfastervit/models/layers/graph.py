"""In which of four regimes a layer runs. Nothing else in the package asks torch.

============ ========================================= ===========================================
regime       how torch tells                           what holds
============ ========================================= ===========================================
eager        none of the below                         Sizes are integers, and what is done now is
                                                       done once: tables may be kept, branches may
                                                       ask for sizes, memory may be used again.
compiled     ``torch.compiler.is_compiling()``         A graph for other sizes too is recorded, and
                                                       sizes may be symbols. A branch on a size, on
                                                       strides or on a cache would bind the graph
                                                       to this call; what to compute again in
                                                       backward, and where, is the compiler's.
exported     ``torch.compiler.is_exporting()``, and    As compiled. Besides, attention is written
             that of compiled                          down as simpler steps whose result lies
                                                       otherwise in memory.
traced       ``torch.jit.is_tracing()``                Kernels are recorded for the sizes at hand,
                                                       which are tensors until made integers;
                                                       autograd functions cannot be recorded. What
                                                       is kept from one pass to the next must be a
                                                       constant in the first already.
============ ========================================= ===========================================
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor
from torch.fx.experimental.symbolic_shapes import statically_known_true

T = TypeVar("T")

# since torch 2.7; before, what serves the one harms the other little
is_exported = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)


def is_fixed() -> bool:
    """Whether what runs serves the sizes at hand alone: eager or traced.

    Only then may a layer branch on sizes and strides, or keep tables and look them up.
    """
    return not torch.compiler.is_compiling()


def is_eager() -> bool:
    """Whether no graph is recorded, so that a layer decides itself what backward recomputes."""
    return not (torch.compiler.is_compiling() or torch.jit.is_tracing())


def is_recorded_for_inference() -> bool:
    """Whether what is recorded has no backward pass: traced or exported."""
    return torch.jit.is_tracing() or is_exported()


def has_backward() -> bool:
    """Whether a backward pass may follow what runs.

    Torch checks a trace by one without gradients, which must find the same steps.
    """
    return torch.is_grad_enabled() and not is_recorded_for_inference()


def unrecorded(compute: Callable[[], T]) -> T:
    """Compute, without gradients, what does not depend on images, so that a trace takes the result.

    A trace is checked by another one. What the first recorded, and the second finds where it was
    kept, would be steps in the one and a constant in the other. Whether steps are recorded is a
    state of the thread, so that another one records none.
    """
    if not torch.jit.is_tracing():
        return compute()
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(torch.no_grad()(compute)).result()


def holds(condition: bool) -> bool:
    """Whether a condition on sizes holds, for all sizes that a graph may be run with."""
    return condition if is_fixed() else statically_known_true(condition)


def integer(size: int) -> int:
    """A size as the integer that it is not while traced; a graph's symbol stays one."""
    return int(size) if torch.jit.is_tracing() else size


def is_disposable(fresh: Tensor) -> bool:
    """Whether neither a gradient nor a compiler needs a tensor that was just computed."""
    needed = fresh.requires_grad and torch.is_grad_enabled()
    return not needed and is_fixed()
