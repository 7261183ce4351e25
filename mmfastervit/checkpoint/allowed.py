"""Let torch's safe loader read the checkpoints that mmengine writes.

Since torch 2.6 ``torch.load`` refuses every type that it does not know (``weights_only=True``).
A checkpoint of mmengine's Runner holds some: the logged scalars (``HistoryBuffer`` over numpy
arrays), numpy scalars such as the best score, and methods named by ``getattr``. One of timm's
training holds its command line (``Namespace``).
"""

import pickle
from argparse import Namespace
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim import OneCycleParamScheduler

# Whole numbers, bool and half to double floats, as numpy's one-letter codes.
_NUMBERS = np.typecodes["AllInteger"] + "?efd"
# numpy 2 renamed numpy.core: a file names the module of the numpy that wrote it.
_NUMPY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_METHODS = {
    HistoryBuffer: ("min", "max", "mean", "current"),
    OneCycleParamScheduler: ("_annealing_cos", "_annealing_linear"),
}


def allow_mmengine_checkpoints() -> None:
    """Allow, for this process, what an mmengine or timm checkpoint holds beyond tensors.

    Nothing else is let through: a file that names any other function or class is refused as
    before, and ``getattr`` reads only the few methods listed here. Does nothing where torch has no
    such allow-list (before 2.4). Calling it again changes nothing.
    """
    if hasattr(torch.serialization, "add_safe_globals"):
        torch.serialization.add_safe_globals(_ALLOWED)


def _read_method(owner: Any, name: str) -> Callable:
    """Stand in for the ``getattr`` by which pickle names a method of a class."""
    if isinstance(owner, type) and name in _METHODS.get(owner, ()):
        return getattr(owner, name)
    raise pickle.UnpicklingError(f"getattr({owner!r}, {name!r}) is not allowed in a checkpoint")


def _named(function: Callable, module: str, name: str) -> Callable:
    """Wrap ``function`` under the full name by which a checkpoint asks for it."""

    def stand_in(*args: Any) -> Any:
        return function(*args)

    stand_in.__module__ = module
    stand_in.__name__ = stand_in.__qualname__ = name
    return stand_in


_rebuild_array = np.empty(0).__reduce__()[0]
_rebuild_scalar = np.float64(0).__reduce__()[0]

_ALLOWED = [
    Namespace,
    HistoryBuffer,
    OneCycleParamScheduler,
    _named(_read_method, "builtins", "getattr"),
    np.ndarray,
    np.dtype,
    *(type(np.dtype(code)) for code in _NUMBERS),
    *(_named(_rebuild_array, module, "_reconstruct") for module in _NUMPY_MODULES),
    *(_named(_rebuild_scalar, module, "scalar") for module in _NUMPY_MODULES),
]
