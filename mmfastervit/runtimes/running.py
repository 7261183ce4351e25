"""What runs the file of a model on a processor: ONNX Runtime and OpenVINO, a class each."""

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

PRECISIONS = ("fp32", "bf16")
TORCH = "torch"
FILE_RUNTIME = "onnxruntime"  # of a file, where none is named


class Runtime(Protocol):
    """A file that is open. As many threads compute as torch takes: ``OMP_NUM_THREADS``.

    Attributes:
        told: What to call the runtime.
        package: What must be installed.
        extra: Of this package, that brings it.
    """

    told: str
    package: str
    extra: str

    def __init__(self, path: Path, precision: str = "fp32") -> None: ...

    def __call__(self, pictures: Any) -> dict[str, np.ndarray]:
        """Run it on a batch of pictures, as the file takes them; results by name."""

    @staticmethod
    def why_no_bf16() -> str:
        """Why it can't compute in bfloat16 here; '' where it can."""


class OnnxRuntime:
    """A file that ONNX Runtime has open."""

    told, package, extra = "ONNX Runtime", "onnxruntime", "export"

    def __init__(self, path: Path, precision: str = "fp32"):
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self._session = InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, pictures: Any) -> dict[str, np.ndarray]:
        results = self._session.run(None, {self._input: pictures})
        return dict(zip(self._names, results, strict=True))

    def __deepcopy__(self, copied: dict) -> "OnnxRuntime":
        """An open file has no state, so that copies of what holds it share it."""
        return self

    @staticmethod
    def why_no_bf16() -> str:
        """It has no switch for it."""
        return (
            "ONNX Runtime computes a file in the precision that it was written in, and has no "
            "switch for bfloat16 on a processor; OpenVINO and torch have"
        )


class OpenVino:
    """A file that OpenVINO has open.

    Left to itself it would take bfloat16 wherever the processor has it: what is taken is said here.

    Attributes:
        settings: Those of its properties that were asked for, as it says it has taken them.
    """

    told, package, extra = "OpenVINO", "openvino", "openvino"

    def __init__(self, path: Path, precision: str = "fp32"):
        from openvino import Core

        settings = {
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        # In a thread of its own: where the processor has AMX, OpenVINO gives the thread that opens
        # a file a stack for signals. Two files closed in the order they were opened leave it one
        # that is gone, and the next signal, such as Ctrl-C, kills the process without a word.
        with ThreadPoolExecutor(1) as thread:
            opening = thread.submit(Core().compile_model, str(path), "CPU", settings)
            self._model = opening.result()
        self.settings = {key: str(self._model.get_property(key)) for key in settings}
        self._names = [output.any_name for output in self._model.outputs]

    def __call__(self, pictures: Any) -> dict[str, np.ndarray]:
        results = self._model([pictures])
        return {name: results[place] for place, name in enumerate(self._names)}

    def __deepcopy__(self, copied: dict) -> "OpenVino":
        """An open file has no state, so that copies of what holds it share it."""
        return self

    @staticmethod
    def why_no_bf16() -> str:
        """The processor may not have it."""
        from openvino import Core

        able = Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if "BF16" in able:
            return ""
        return f"OpenVINO finds no bfloat16 in this processor, but {', '.join(able)}"


RUNTIMES: dict[str, type[Runtime]] = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}


def require_runtime(name: str, precision: str = "fp32") -> None:
    """Look whether files can be run here.

    Args:
        name: Of :data:`RUNTIMES`.
        precision: Of :data:`PRECISIONS`.

    Raises:
        ValueError: There is no such runtime or precision, it is not installed, or it can't compute
            in this precision.
    """
    if name not in RUNTIMES:
        raise ValueError(f"files are run by {' and '.join(RUNTIMES)}, not by {name!r}")
    check_precision(precision)
    runtime = RUNTIMES[name]
    if find_spec(runtime.package) is None:
        raise ValueError(
            f"{runtime.told} is not installed: pip install 'mmfastervit[{runtime.extra}]', or in a "
            f"checkout pip install -e '.[{runtime.extra}]'"
        )
    if precision == "bf16" and (why := runtime.why_no_bf16()):
        raise ValueError(why)


def check_precision(precision: str) -> None:
    """Raise ValueError unless a precision is one of :data:`PRECISIONS`."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}, not {precision!r}")


def open_runtime(name: str, path: Path, precision: str = "fp32") -> Runtime:
    """Open a file; see :func:`require_runtime` for the arguments.

    Raises:
        ValueError: As of :func:`require_runtime`, or the runtime can't open the file.
    """
    require_runtime(name, precision)
    runtime = RUNTIMES[name]
    try:
        return runtime(path, precision)
    except Exception as error:  # each raises errors of its own
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{runtime.told} can't open {path}: {lines[-1].strip()}") from error
