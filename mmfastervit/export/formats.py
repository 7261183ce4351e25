"""The kinds of files that a model is written as: how each is made, and what runs it to check it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from mmfastervit.runtimes import OnnxRuntime

from . import compiling, writing

Run = Callable[[Any], dict[str, Any]]


class Program(Protocol):
    """A model, traced."""

    def save(self, path: str) -> None:
        """Write it as a file."""


@dataclass(frozen=True)
class Format:
    """A kind of files.

    Args:
        runtime: What runs them.
        require: Raises ValueError, with what to do, where it can't be written here.
        trace: From a module, images and the names of their axes that are of any size to a program.
        state: Lets a program say something of itself, as texts by name; None where nobody asks.
        open: From a file to what runs it on an array of images; it gives arrays by name.
    """

    runtime: str
    require: Callable[[], None]
    trace: Callable[[nn.Module, Tensor, Mapping[int, str]], Any]
    state: Callable[[Any, Mapping[str, str]], None] | None
    open: Callable[[Path], Run]


ONNX = Format("ONNX Runtime", writing.require_packages, writing.trace, writing.state, OnnxRuntime)
COMPILED = Format(
    "AOTInductor",
    compiling.require_compiler,
    compiling.trace_to_compile,
    None,
    compiling.Package,
)


def format_of(out: Path) -> Format:
    """The kind of a file, by the end of its name: compiled for .pt2, else ONNX."""
    return COMPILED if out.suffix == compiling.SUFFIX else ONNX


def require_quantisable(out: Path) -> None:
    """Raise ValueError where a file of this name can't be in int8, or the quantiser is not here."""
    if format_of(out) is not ONNX:
        raise ValueError(f"--int8 is for ONNX files, and {out} would be compiled: name an .onnx")
    writing.require_packages()
    if find_spec("nncf") is None:
        raise ValueError(
            "--int8 needs nncf: pip install 'mmfastervit[int8]', or in a checkout "
            "pip install -e '.[int8]'"
        )
