"""Backbones as files that ONNX Runtime and OpenVINO run, beside the models themselves."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmfastervit.runtimes import (
    RUNTIMES,
    Runtime,
    largest_difference,
    open_runtime,
    require_runtime,
)

# How far maps may be from torch's in float32, over the largest value of each
TOLERANCE = {"fp32": 1e-3, "bf16": 0.1, "int8": 0.5}
NOISE = 4  # images of noise that a file is quantised on: of what is lost it tells nothing


class Files:
    """ONNX files of models, each written when it is first asked for.

    Args:
        folder: To write them into.
        write: Writes a model, from images (B, C, H, W) to maps, as a file for any size of images.
        given: Files that are there already, by the model's name. Their weights may be others than
            those of the model that is built here.
        quantise: From such a file to another in int8, measured on images of the shape that it is
            for; None where there is nothing that could.
    """

    def __init__(
        self,
        folder: Path,
        write: Callable[[nn.Module, Path], object],
        given: Mapping[str, Path] | None = None,
        quantise: Callable[[Path, Path, Sequence[np.ndarray]], object] | None = None,
    ):
        self._folder, self._write = folder, write
        self.quantise = quantise
        self._given, self._written = dict(given or {}), dict[str, Path]()

    def call(
        self, model: nn.Module, name: str, runtime: str, precision: str, images: Tensor
    ) -> Callable[[], Any]:
        """Open a model's file and look at what it computes; what is returned runs it once.

        Args:
            model: In eval mode, in float32.
            name: Of the model.
            runtime: Of ``mmfastervit.runtimes.RUNTIMES``.
            precision: 'fp32' or 'bf16'.
            images: (B, C, H, W), that it is run on.

        Raises:
            ValueError: The runtime can't open the file or run it on these images, or a file that
                was given has other maps than the model.
            ArithmeticError: A file that was written here computes something else than the model.
        """
        path = self._given.get(name) or self._written_of(model, name)
        tolerance = None if name in self._given else TOLERANCE[precision]
        return _opened(path, tolerance, model, name, runtime, precision, images)

    def quantised(
        self, model: nn.Module, name: str, runtime: str, precision: str, images: Tensor
    ) -> Callable[[], Any]:
        """The same with the file's products in int8, measured on noise, for images of this shape.

        Raises:
            ValueError: Nothing quantises here, or as of :meth:`call`.
            ArithmeticError: As of :meth:`call`.
        """
        if self.quantise is None:
            raise ValueError(f"{name} in int8: there is nothing that quantises files")
        shape = tuple(images.shape)
        path = self._folder / f"{name}-{'x'.join(map(str, shape))}-int8.onnx"
        if not path.exists():
            source = self._given.get(name) or self._written_of(model, name)
            drawn = np.random.default_rng(0).standard_normal((NOISE, *shape))
            self.quantise(source, path, list(drawn.astype(np.float32)))
        tolerance = None if name in self._given else TOLERANCE["int8"]
        return _opened(path, tolerance, model, f"{name} in int8", runtime, precision, images)

    def _written_of(self, model: nn.Module, name: str) -> Path:
        if name not in self._written:
            path = self._folder / f"{name}.onnx"
            self._write(model, path)
            self._written[name] = path
        return self._written[name]


def _opened(
    path: Path,
    tolerance: float | None,
    model: nn.Module,
    name: str,
    runtime: str,
    precision: str,
    images: Tensor,
) -> Callable[[], Any]:
    """Open a file and compare its maps with the model's; what is returned runs it once."""
    opened = open_runtime(runtime, path, precision)
    call = partial(opened, images.numpy())
    found = _first(call, opened, path, images)
    with torch.no_grad():
        expected = [output.numpy() for output in model(images)]
    shapes = [[output.shape for output in outputs] for outputs in (found, expected)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"{path} gives outputs of shapes {shapes[0]} for images of {tuple(images.shape)}, "
            f"{name} maps of {shapes[1]}: name a file that `mmfastervit export` wrote of it"
        )
    if tolerance is not None:
        _compare(found, expected, f"{name} by {opened.told} in {precision}", tolerance)
    return call


def _first(
    call: Callable[[], Mapping[str, np.ndarray]], opened: Runtime, path: Path, images: Tensor
) -> list[np.ndarray]:
    try:
        return list(call().values())
    except Exception as error:  # each runtime raises errors of its own
        last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise ValueError(
            f"{opened.told} can't run {path} on images of {tuple(images.shape)}: {last.strip()}"
        ) from error


def _compare(
    found: Iterable[np.ndarray], expected: Iterable[np.ndarray], what: str, tolerance: float
) -> None:
    """Raise ArithmeticError unless maps are torch's."""
    largest = largest_difference(found, expected)
    if not largest <= tolerance:
        raise ArithmeticError(
            f"{what} differs from torch in fp32 by {largest:.1e} of the largest value, more than "
            f"{tolerance:.0e}: what computes something else is not timed"
        )


def usable(precision: str) -> tuple[list[str], str]:
    """The runtimes that compute in a precision here, and why the others do not; '' if all do."""
    able, reasons = [], []
    for name in RUNTIMES:
        try:
            require_runtime(name, precision)
            able.append(name)
        except ValueError as error:
            reasons.append(str(error))
    return able, "; ".join(reasons)
