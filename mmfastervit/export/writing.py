"""ONNX files: tracing a module, and putting the file in its place once it has been checked."""

import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_unflatten

from .deformable import convolutions_sampled
from .operators import translations
from .tidying import tidy

OPSET = 18
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def require_packages() -> None:
    """Raise ValueError, naming the extra that brings them, unless the ONNX packages are here."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"exporting needs {', '.join(missing)}: pip install 'mmfastervit[export]', or in a "
            "checkout pip install -e '.[export]'"
        )


def trace(module: nn.Module, images: Tensor, axes: Mapping[int, str]) -> torch.onnx.ONNXProgram:
    """Trace a module into an ONNX program with the input 'images'.

    Its outputs are named by the module where that gives a dict, else 'output0' and so on.

    Args:
        module: From images to a tuple or a dict of tensors.
        images: To trace with.
        axes: Names of the images' axes that are of any size.
    """
    # apart from torch.onnx.export, under which mmdet takes branches for exporters of old
    exported = exported_program(module, images, axes)
    program = torch.onnx.export(
        exported,
        input_names=["images"],
        output_names=_names_of(exported),
        dynamic_shapes=(dict(axes),) if axes else None,
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
        custom_translation_table=dict(translations()),
        optimize=False,
    )
    assert program is not None  # it is where no file is given
    tidy(program.model)
    return program


def state(program: torch.onnx.ONNXProgram, texts: Mapping[str, str]) -> None:
    """Let a program say something of itself, in its file's metadata."""
    program.model.metadata_props.update(texts)


def exported_program(
    module: nn.Module, images: Tensor, axes: Collection[int]
) -> torch.export.ExportedProgram:
    """A module as torch.export records it, for images of any size along some axes."""
    shapes = (dict.fromkeys(axes, torch.export.Dim.DYNAMIC),) if axes else None
    with torch.no_grad(), _attention_in_steps(), convolutions_sampled():
        return torch.export.export(module, (images,), dynamic_shapes=shapes, strict=False)


@contextmanager
def _attention_in_steps() -> Iterator[None]:
    """Keep torch from taking one kernel for a layer of attention, which ONNX has no word for."""
    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)


def _names_of(exported: torch.export.ExportedProgram) -> list[str]:
    """Names of a program's outputs, in the order in which it has them."""
    spec = exported.call_spec.out_spec
    places = tree_unflatten(list(range(spec.num_leaves)), spec)
    if isinstance(places, dict):
        return sorted(places, key=places.__getitem__)
    return [f"output{place}" for place in range(spec.num_leaves)]


@contextmanager
def beside(out: Path) -> Iterator[Path]:
    """Give a path to save a program to, and move the files to ``out`` once the block ends well.

    When it raises, ``out`` is as it was and nothing is left.
    """
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        path = Path(folder, out.name)
        yield path
        # weights beyond protobuf's 2 GB stand in a file of their own, which must be there first
        for file in sorted(Path(folder).iterdir(), key=lambda file: file == path):
            os.replace(file, out.parent / file.name)
