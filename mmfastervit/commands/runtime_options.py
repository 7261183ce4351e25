"""The options by which a command runs a model's file in the place of its checkpoint."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path

from mmfastervit.runtimes import FILE_RUNTIME, PRECISIONS, RUNTIMES, TORCH, Stated, require_runtime


@dataclass(frozen=True)
class Running:
    """How a model is run.

    Attributes:
        runtime: ``"torch"``, or what runs a file.
        precision: ``"fp32"`` or ``"bf16"``.
        file: Of ``mmfastervit export --part model``; None with torch.
    """

    runtime: str
    precision: str
    file: Path | None


def add_runtime_options(parser: ArgumentParser) -> None:
    """Add ``--model``, ``--runtime`` and ``--precision``."""
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE.onnx",
        help="run this file of `mmfastervit export --part model` instead of the checkpoint, which "
        "need not be named then; the config is that which it was exported with",
    )
    parser.add_argument(
        "--runtime",
        choices=(TORCH, *RUNTIMES),
        help=f"what runs the model, on the processor but for torch (default: {TORCH}; of --model "
        f"{FILE_RUNTIME})",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="fp32",
        help="bf16: compute in bfloat16, with torch or OpenVINO (default: fp32)",
    )


def running_asked(arguments: Namespace, *refused: str) -> Running:
    """What was asked for, once the options were looked at.

    Args:
        arguments: With those of :func:`add_runtime_options` and ``checkpoint``.
        refused: Names of options that are for torch's own models alone.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Options do not go together, the runtime is not there or lacks the precision, or
            the file does not say what it is.
    """
    file, runtime = arguments.model, arguments.runtime
    if file is None:
        if runtime in RUNTIMES:
            raise ValueError(
                f"--runtime {runtime} runs a file: name it by --model FILE.onnx, as `mmfastervit "
                "export CONFIG CHECKPOINT --part model --out FILE.onnx` writes it"
            )
        if arguments.checkpoint is None:
            raise ValueError(
                "name a checkpoint, or by --model a file of `mmfastervit export --part model`"
            )
        return Running(TORCH, arguments.precision, None)
    if runtime == TORCH:
        raise ValueError(
            f"--model {file} is a file, which torch does not run: leave out --runtime torch, or "
            f"take {' or '.join(RUNTIMES)}"
        )
    for name in refused:
        if getattr(arguments, name):
            raise ValueError(
                f"--{name.replace('_', '-')} is for checkpoints: what --model {file} computes "
                "stands in it"
            )
    runtime = runtime or FILE_RUNTIME
    require_runtime(runtime, arguments.precision)
    Stated.read(file)
    return Running(runtime, arguments.precision, file)
