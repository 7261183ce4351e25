"""Compiled files (``.pt2``): what torch.export records, compiled for this kind of processor.

AOTInductor writes C++, has the system's compiler build it, and packs the library with the weights.
``torch._inductor.aoti_load_package`` loads it, with torch alone. As it holds a library, whoever
loads one runs what stands in it.
"""

import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .adapters import Refused
from .operators import NAMESPACE
from .writing import exported_program

SUFFIX = ".pt2"
COMPILER = "g++"


def require_compiler() -> None:
    """Raise ValueError unless there is a compiler, that of ``CXX`` or g++."""
    name = os.environ.get("CXX", COMPILER)
    if shutil.which(name) is None:
        raise ValueError(
            f"a {SUFFIX} file is compiled, and there is no compiler {name!r}: install one, as by "
            "apt-get install g++, or name it in the variable CXX; an .onnx file needs none"
        )


class Compiled:
    """A program that is compiled when it is saved."""

    def __init__(self, exported: torch.export.ExportedProgram):
        self._exported = exported

    def save(self, path: str) -> None:
        """Compile it into a file, which takes minutes."""
        torch._inductor.aoti_compile_and_package(self._exported, package_path=path)


def trace_to_compile(module: nn.Module, images: Tensor, axes: Collection[int]) -> Compiled:
    """Record a module, to be compiled.

    Args:
        module: From images to a tuple or a dict of tensors.
        images: To trace with.
        axes: Those of the images that are of any size.

    Raises:
        Refused: It has operators of this package, which a file without it can't run.
    """
    exported = exported_program(module, images, axes)
    own = sorted(
        {
            node.target.name().partition("::")[2]
            for node in exported.graph.nodes
            if isinstance(node.target, torch._ops.OpOverload) and node.target.namespace == NAMESPACE
        }
    )
    if own:
        raise Refused(
            f"this model needs {' and '.join(own)}, which torch has no operator for, so that a "
            f"{SUFFIX} file can't have it: export it as .onnx, or --part neck or backbone"
        )
    return Compiled(exported)


class Package:
    """A compiled file, loaded."""

    def __init__(self, path: Path):
        self._model: Any = torch._inductor.aoti_load_package(str(path))

    def __call__(self, images: Any) -> dict[str, Any]:
        """Run it on an array of images; outputs by name, those of a tuple 'output0' and so on."""
        with torch.no_grad():
            outputs = self._model(torch.from_numpy(images))
        if not isinstance(outputs, dict):
            outputs = {f"output{place}": output for place, output in enumerate(outputs)}
        return {name: output.numpy() for name, output in outputs.items()}
