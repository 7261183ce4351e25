"""Where and with what a run was made."""

import os
import platform
import subprocess
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which
from typing import Any

import torch

from mmfastervit.version import __version__


def settle_tf32() -> None:
    """Let a GPU compute fp32 as such, in matrix products and convolutions alike."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def machine(device: str) -> dict[str, Any]:
    """Where and with what a run was made."""
    about: dict[str, Any] = dict(
        date=datetime.now().isoformat(timespec="seconds"),
        processor=processor_name(),
        cores=os.cpu_count(),
        vector_instructions=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
        mmfastervit=__version__,
        timm=version_of("timm"),
        fastervit=version_of("fastervit"),
        torch=torch.__version__,
        onnx=version_of("onnx"),
        onnxruntime=version_of("onnxruntime"),
        openvino=version_of("openvino"),
        python=platform.python_version(),
    )
    return about if device == "cpu" else about | gpu()


def gpu() -> dict[str, Any]:
    """The GPU, what drives it, and how it computes fp32."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(query, capture_output=True, text=True) if which(query[0]) else None
    return dict(
        gpu=torch.cuda.get_device_name(),
        cuda=torch.version.cuda,
        driver=driver.stdout.partition("\n")[0] if driver else "unknown",
        tf32_in_matrix_products=torch.backends.cuda.matmul.allow_tf32,
        tf32_in_convolutions=torch.backends.cudnn.allow_tf32,
    )


def version_of(package: str) -> str | None:
    """Version of an installed package, None if it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor_name() -> str:
    """What Linux calls the processor, or else the platform's name of it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = (text.partition(":")[2].strip() for text in lines if text.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
