"""From a proven float ONNX file to one that multiplies in int8, by ONNX Runtime's quantiser.

Linear layers are quantised: products of a picture's values with learned weights, the inputs of
which are measured on pictures. All else stays in float:

- convolutions: with them in int8 OpenVINO computed something else than ONNX Runtime, and why is not
  known (one SegFormer on nuclei: rms of its logits 101% against 20% on eight pictures, and 0.01%
  in both with linear layers alone, on a single picture that was also measured on);
- softmax, layer norms, GELU and the sums between layers, attention's bias among them: their values
  span too much for 256 steps, and they take a small part of the time;
- attention's own products, of queries with keys and of shares with values: both sides change with
  the picture, and shares near 0 are many;
- what does not depend on a picture's values, as position tables, and what averages, as pooling
  written as a product: there is nothing to gain;
- the last layer before each result, and before each box or sampling place within the model: a
  coordinate or a score would have 256 values. From there on, decoding and suppression are float.
"""

import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mmfastervit.runtimes import RUNTIMES, Runtime

from .likeness import Likeness, compare_files

PRECISION = "int8"
FEW = 20  # pictures: with less to measure on, rare values are missed
_LAYERS = ("Conv", "Gemm", "MatMul")
_KINDS = ("Gemm", "MatMul")  # of them, those that are quantised
# Inputs that say where to look, and not what is computed with
_PLACES = {
    "Gather": (1,),
    "GatherElements": (1,),
    "GatherND": (1,),
    "GridSample": (1,),
    "Resize": (1, 2, 3),
    "RoiAlign": (1, 2),
}
_CHOICES = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")  # true or false, no value
_SIZES = ("Shape", "Size")  # which depend on a picture's size, and not on its values
_AVERAGES = 1e-3  # how near to 1 weights of an average sum up

Prepare = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Calibration:
    """Pictures that ranges are measured on, and others that the outcome is compared on.

    Attributes:
        measured: uint8 or float (H, W, C), red first, of any sizes.
        compared: The same; none of those above.
        report: Called with how far the file is from the float one in each runtime, before it is
            written.
    """

    measured: Sequence[np.ndarray]
    compared: Sequence[np.ndarray]
    report: Callable[[Likeness], None] = lambda likeness: None


def quantise_checked(path: Path, calibration: Calibration, prepare: Prepare) -> None:
    """Put a quantised file in the place of a float one, once it was compared with that.

    Args:
        path: The float file, proven; alone in its folder.
        calibration: The pictures.
        prepare: From a picture to a batch of one, as the file takes it.

    Raises:
        ValueError: The file has nothing to quantise, or its weights exceed the 2 GB of one file.
        ArithmeticError: The quantised file gives numbers that are not finite, or finds nothing of
            what the float one finds.
    """
    if len(list(path.parent.iterdir())) > 1:
        raise ValueError(
            "weights of more than 2 GB stand beside the ONNX file, and the quantiser takes one "
            "file: export without --int8"
        )
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        quantised = Path(folder, path.name)
        quantise(path, quantised, map(prepare, calibration.measured))
        for runtime in _runtimes():
            likeness = compare_files(
                runtime(path), runtime(quantised), map(prepare, calibration.compared), runtime.told
            )
            calibration.report(likeness)
            likeness.check()
        os.replace(quantised, path)


def _runtimes() -> list[type[Runtime]]:
    """What runs files here: ONNX Runtime, which the quantiser is of, and OpenVINO if it is there.

    Each computes products of 8 bits in its own way.
    """
    return [runtime for runtime in RUNTIMES.values() if find_spec(runtime.package) is not None]


def quantise(path: Path, out: Path, batches: Iterable[np.ndarray]) -> int:
    """Write a file whose products are in int8, from a float one.

    Weights have 8 bits with a scale for each output channel, and values 8 bits with a scale and a
    zero for each tensor, from the lowest to the highest that was seen.

    Args:
        path: ONNX file in float.
        out: File to write.
        batches: What the file takes, to measure on.

    Returns:
        How many layers are in int8.

    Raises:
        ValueError: There is no layer that could be.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    model = onnx.load(str(path))
    kinds = {node.name: node.op_type for node in model.graph.node}
    chosen = [name for name in able_nodes(model.graph) if kinds[name] in _KINDS]
    if not chosen:
        raise ValueError(
            "this file has no linear layer to quantise but for those that end in "
            "results: export without --int8"
        )
    own = {entry.key: entry.value for entry in model.metadata_props}
    with _without_advice():
        quantize_static(
            str(path),
            str(out),
            _reader(model.graph.input[0].name, batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_KINDS),
            nodes_to_quantize=chosen,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options=dict(
                # a product's float result is what ONNX Runtime and OpenVINO compute anyway
                OpTypesToExcludeOutputQuantization=["Gemm", "MatMul"],
                MatMulConstBOnly=True,
            ),
        )
    written = onnx.load(str(out))
    onnx.helper.set_model_props(written, {**own, "precision": json.dumps(PRECISION)})
    onnx.save(written, str(out))
    return len(chosen)


def able_nodes(graph: Any) -> list[str]:
    """Names of the layers of an ONNX graph that could be quantised by their place in it."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    able = [
        node
        for node in graph.node
        if node.op_type in _LAYERS
        and len(node.input) > 1
        and node.input[1] in weights
        and not _averages(node, weights[node.input[1]])
    ]
    seen = _depending(graph)
    before = _before_others(graph, {node.name for node in able})
    return [node.name for node in able if node.input[0] in seen and set(node.output) & before]


def _averages(node: Any, tensor: Any) -> bool:
    """Whether a product's weights are those of averages, which are no learned ones."""
    from onnx.numpy_helper import to_array

    if node.op_type != "MatMul":
        return False
    values = to_array(tensor)
    return bool((values >= 0).all() and np.abs(values.sum(-2) - 1).max() < _AVERAGES)


def _depending(graph: Any) -> set[str]:
    """Names of the values that depend on those of a picture."""
    seen = {graph.input[0].name}
    for node in graph.node:  # which are in the order of computing
        if node.op_type not in _SIZES and seen.intersection(node.input):
            seen.update(node.output)
    return seen


def _before_others(graph: Any, able: set[str]) -> set[str]:
    """Names of the values that some layer of ``able`` computes with, however far behind."""
    wanted: set[str] = set()
    for node in reversed(graph.node):
        if node.op_type in _CHOICES:
            continue
        if node.name in able or wanted.intersection(node.output):
            places = _PLACES.get(node.op_type, ())
            wanted.update(name for at, name in enumerate(node.input) if at not in places)
    return wanted


def _reader(name: str, batches: Iterable[np.ndarray]) -> Any:
    """Batches in the form in which the quantiser asks for them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.rest: Iterator[np.ndarray] = iter(batches)

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self.rest, None)
            return None if batch is None else {name: batch}

    return Reader()


class _without_advice:
    """Keep the quantiser's advice to simplify a file first from the user, who can't follow it."""

    def __enter__(self) -> None:
        self.was = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(self.was)
