"""From a proven float ONNX file to one that multiplies in int8, by NNCF's quantisation.

Convolutions and linear layers are quantised: products of a picture's values with learned weights,
the inputs of which are measured on pictures. All else stays in float:

- softmax, layer norms, GELU and the sums between layers, attention's bias among them: their values
  span too much for 256 steps, and they take a small part of the time;
- attention's own products, of queries with keys and of shares with values: both sides change with
  the picture, and shares near 0 are many;
- what does not depend on a picture's values, as position tables, and what averages, as pooling
  written as a product: there is nothing to gain;
- convolutions with groups, which take little of the time;
- the last layer before each result, and before each box or sampling place within the model: a
  coordinate or a score would have 256 values. From there on, decoding and suppression are float.

A quantised file takes one picture at a time, of one size. With sizes or the batch left open,
OpenVINO (2026.4) computes something else: the maps of a FasterViT-0 are 80% off (rms) from the
second stage on, and 4% with all fixed, as by ONNX Runtime in either case. It does so too where
rounding is moved before a transposition, so that values are rounded where a layer takes them and
nowhere else.
"""

import json
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mmfastervit.explaining import cause_of
from mmfastervit.runtimes import RUNTIMES, Runtime

from .formats import require_quantisable
from .likeness import Likeness, compare_files

PRECISION = "int8"
FEW = 20  # pictures: with less to measure on, rare values are missed
FIXED = "OpenVINO computes something else in int8 where the batch or the size is left open"
_LAYERS = ("Conv", "Gemm", "MatMul")
_SILENCE = "NNCF_CI"
_BATCH_KEY = "any_batch"  # of what a whole model's file says of itself
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
        ValueError: As of :func:`quantise`.
        ArithmeticError: The quantised file gives numbers that are not finite, or finds nothing of
            what the float one finds.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        quantised = Path(folder, path.name)
        quantise(path, quantised, calibration.measured, prepare)
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


def quantise(
    path: Path,
    out: Path,
    measured: Sequence[np.ndarray],
    prepare: Prepare = lambda picture: picture,
) -> int:
    """Write a file whose convolutions and linear layers are in int8, from a float one.

    It takes batches of the shape of the first that is measured on, and no others.

    Weights have 8 bits with a scale for each output channel, and values 8 bits with a scale and a
    zero for each tensor, from the lowest to the highest of all pictures: their mean, which NNCF
    takes left to itself, cuts what is in few of them (bright photos among dark ones: the logits of
    a SegFormer on nuclei were 370% to 590% off, and 4% to 22% with this).

    Args:
        path: ONNX file in float.
        out: File to write.
        measured: Pictures to measure on, gone over several times.
        prepare: From a picture to a batch of one, as the file takes it.

    Returns:
        How many layers are in int8.

    Raises:
        ValueError: A package is missing; the weights exceed the 2 GB of one file; there is no layer
            that could be; the batches are not of one shape; or NNCF can't do it.
    """
    require_quantisable(out)
    import onnx
    from onnx.external_data_helper import uses_external_data

    nncf = _quantiser()
    ranges = nncf.quantization.range_estimator.RangeEstimatorParametersSet
    model = onnx.load(str(path), load_external_data=False)
    if any(map(uses_external_data, model.graph.initializer)):
        raise ValueError(
            "weights of more than 2 GB stand beside the ONNX file, and the quantiser takes one "
            "file: leave out --int8"
        )
    chosen = able_nodes(model.graph)
    if not chosen:
        raise ValueError(
            "this file has no convolution and no linear layer to quantise but for those that end "
            "in results: leave out --int8"
        )
    own = {entry.key: entry.value for entry in model.metadata_props}
    taken = model.graph.input[0]
    shape = prepare(measured[0]).shape
    for side, length in zip(taken.type.tensor_type.shape.dim, shape, strict=True):
        side.dim_value = length

    def batch(picture: np.ndarray) -> dict[str, np.ndarray]:
        prepared = prepare(picture)
        if prepared.shape != shape:
            raise ValueError(
                f"an int8 file takes one size, and pictures to measure on are prepared as {shape} "
                f"and {prepared.shape}: let the pipeline bring them to one size"
            )
        return {taken.name: prepared}

    try:
        quantised = nncf.quantize(
            model,
            nncf.Dataset(measured, batch),
            subset_size=len(measured),
            preset=nncf.QuantizationPreset.MIXED,  # values have a zero of their own
            target_device=nncf.TargetDevice.CPU,
            ignored_scope=nncf.IgnoredScope(
                names=[node.name for node in model.graph.node if node.name not in chosen],
                validate=False,  # it takes out casts that do nothing before it looks for names
            ),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                activations_range_estimator_params=ranges.MINMAX
            ),
        )
    except ValueError:  # of a picture: it says what to do
        raise
    except Exception as error:  # it has errors of many kinds for graphs that it does not know
        raise ValueError(f"NNCF can't quantise this file: {cause_of(error)}") from error
    own["precision"] = json.dumps(PRECISION)
    if _BATCH_KEY in own:
        own[_BATCH_KEY] = json.dumps(False)
    onnx.helper.set_model_props(quantised, own)
    onnx.save(quantised, str(out))
    return len(chosen)


def _quantiser() -> Any:
    """NNCF, without the reports of its use that it sends to its makers.

    Its progress bars stay; of its log only errors do.
    """
    before = os.environ.get(_SILENCE)
    os.environ[_SILENCE] = "1"  # it looks once, at its first import
    try:
        import nncf  # type: ignore[import-untyped]  # it has no types
    finally:
        if before is None:
            del os.environ[_SILENCE]
        else:
            os.environ[_SILENCE] = before
    nncf.set_log_level(logging.ERROR)
    return nncf


def able_nodes(graph: Any) -> list[str]:
    """Names of the layers of an ONNX graph that could be quantised by their place in it."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    able = [
        node
        for node in graph.node
        if node.op_type in _LAYERS
        and len(node.input) > 1
        and node.input[1] in weights
        and not _is_grouped(node)
        and not _averages(node, weights[node.input[1]])
    ]
    seen = _depending(graph)
    before = _before_others(graph, {node.name for node in able})
    return [node.name for node in able if node.input[0] in seen and set(node.output) & before]


def _is_grouped(node: Any) -> bool:
    """Whether a convolution has groups, as one of a channel each has."""
    return any(each.name == "group" and each.i > 1 for each in node.attribute)


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
