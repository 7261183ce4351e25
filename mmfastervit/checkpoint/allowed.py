"""What torch's safe loader lets through of the checkpoints that mmengine writes: the one list.

Since torch 2.6 ``torch.load`` refuses every type that it does not know (``weights_only=True``).
A checkpoint of mmengine's Runner holds some: the logged scalars (``HistoryBuffer`` over numpy
arrays), numpy scalars such as the best score, and methods named by ``getattr``. So the ``train.py
--resume`` of mmdet and mmseg, ``DetInferencer`` and ``MMSegInferencer`` can't read them by
themselves. Importing this package extends torch's list for the process, the only one that reaches
them. One of timm's training holds its command line (``Namespace``).

What is on it holds values and runs no code of a file's choice. Where a class or function could do
more, a stand-in answers to its name: ``getattr`` reads the listed methods alone, arrays and data
types are of plain numbers, a ``HistoryBuffer`` leaves the statistics shared by all of them as they
are, and the scheduler is there to be named, not built. mmengine's maintained forks take some types
off the list whenever they have read a file: reading by this package puts them back.
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
_NUMBERS = tuple(np.dtype(code) for code in np.typecodes["AllInteger"] + "?efd")
# numpy 2 renamed numpy.core: a file names the module of the numpy that wrote it.
_NUMPY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")


def allow_mmengine_checkpoints() -> None:
    """Allow, for this process, what an mmengine or timm checkpoint holds beyond tensors.

    Nothing else is let through: a file that names any other function or class is refused as
    before. Does nothing where torch has no such allow-list (before 2.4). Calling it again changes
    nothing, unless something was taken off the list.
    """
    if hasattr(torch.serialization, "add_safe_globals"):
        torch.serialization.add_safe_globals(_ALLOWED)


class _History(HistoryBuffer):
    """A ``HistoryBuffer`` from a file, as which it ends."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        # The file's statistics would become those of every HistoryBuffer of the process.
        super().__setstate__({k: v for k, v in state.items() if k != "statistics_methods"})
        self.__class__ = HistoryBuffer


class _OneCycle:
    """Stand in for the scheduler's class, of which a file names methods."""

    _annealing_cos = staticmethod(OneCycleParamScheduler._annealing_cos)
    _annealing_linear = staticmethod(OneCycleParamScheduler._annealing_linear)


_METHODS = {
    **dict.fromkeys((_History, HistoryBuffer), ("min", "max", "mean", "current")),
    _OneCycle: ("_annealing_cos", "_annealing_linear"),
}


def _read_method(owner: Any, name: str) -> Callable:
    """Stand in for the ``getattr`` by which pickle names a method of a class."""
    if isinstance(owner, type) and name in _METHODS.get(owner, ()):
        return getattr(owner, name)
    raise pickle.UnpicklingError(f"getattr({owner!r}, {name!r}) is not allowed in a checkpoint")


def _read_dtype(code: str, *_: bool) -> np.dtype:
    """Stand in for ``numpy.dtype``, which also makes types of objects.

    The type is numpy's own, which no file can change: numbers are in this machine's byte order.
    """
    if code not in _CODES:
        raise pickle.UnpicklingError(f"arrays of {code!r} are not allowed in a checkpoint")
    # Not the copy that files ask for: by its flags one could have numpy take numbers for objects.
    return np.dtype(code)


def _named(thing: Any, module: str, name: str) -> Any:
    """Give a stand-in the full name by which a checkpoint asks for what it stands in for."""
    thing.__module__, thing.__name__, thing.__qualname__ = module, name, name
    return thing


def _calling(function: Callable, module: str, name: str) -> Callable:
    return _named(lambda *args: function(*args), module, name)


_CODES = frozenset(number.str[1:] for number in _NUMBERS)
_rebuild_array: Any = np.empty(0).__reduce__()[0]
_rebuild_scalar: Any = np.float64(0).__reduce__()[0]

_ALLOWED = [
    Namespace,
    slice,
    np.ndarray,
    *{type(number) for number in _NUMBERS},
    _named(_History, HistoryBuffer.__module__, "HistoryBuffer"),
    _named(_OneCycle, OneCycleParamScheduler.__module__, "OneCycleParamScheduler"),
    _named(_read_method, "builtins", "getattr"),
    _named(_read_dtype, "numpy", "dtype"),
    *(_calling(_rebuild_array, module, "_reconstruct") for module in _NUMPY_MODULES),
    *(_calling(_rebuild_scalar, module, "scalar") for module in _NUMPY_MODULES),
]
