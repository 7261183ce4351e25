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
                                                       autograd functions cannot be recorded.
============ ========================================= ===========================================
"""

import torch
from torch import Tensor
from torch.fx.experimental.symbolic_shapes import statically_known_true

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
