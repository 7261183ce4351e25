"""A folder of stand-ins for torch, OpenMMLab and the rest, of which a test breaks one.

An interpreter without packages runs ``mmfastervit doctor`` over it, in half a second. The stand-ins
have what doctor asks of the real packages, and no more.
"""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TORCH = """
__version__ = {version!r}
GPUS = {gpus!r}
class version:
    cuda, hip = {cuda!r}, None
class cuda:
    is_available = staticmethod(lambda: bool(GPUS))
    device_count = staticmethod(lambda: len(GPUS))
    get_device_name = staticmethod(lambda gpu: GPUS[gpu][0])
    get_device_capability = staticmethod(lambda gpu: GPUS[gpu][1])
    get_arch_list = staticmethod(lambda: ["sm_80", "sm_90", "sm_100"])
class Tensor:
    def numpy(self): {numpy}
    def __getitem__(self, key): return self
def tensor(values, device=None): return Tensor()
ones = zeros = tensor
"""
TORCHVISION = """
import torch
class version:
    cuda = {cuda!r}
class ops:
    nms = staticmethod(lambda *of: None)
"""
OPS = """
get_compiling_cuda_version = lambda: {cuda!r}
def nms(boxes, scores, threshold): {does}
"""
IS_INSTALLED = """
def is_installed(name):
    import pkg_resources
    return True
"""
HEALTHY = {  # version, what it requires, files
    "numpy": ("2.4.6", (), {"numpy.py": ""}),
    "setuptools": ("80.0.0", (), {"pkg_resources.py": ""}),
    "ftfy": ("6.3.1", (), {"ftfy.py": ""}),
    "regex": ("2026.1.1", (), {"regex.py": ""}),
    "timm": ("1.0.31", (), {"timm.py": ""}),
    "torchvision": ("0.27.0", ("torch==2.12.0",), {"torchvision.py": TORCHVISION.format(cuda=1)}),
    "opencv-python": ("5.0.0.93", (), {"cv2.py": ""}),
    "mmengine": ("0.10.7", (), {"mmengine/__init__.py": "", "mmengine/utils.py": IS_INSTALLED}),
    "mmcv": ("2.1.0", (), {"mmcv/__init__.py": ""}),
    "mmdet": ("3.3.0", (), {"mmdet/__init__.py": "", "mmdet/apis.py": ""}),
    "mmsegmentation": ("1.2.2", (), {"mmseg/__init__.py": "", "mmseg/apis.py": ""}),
    "mmpretrain": ("1.2.0", (), {"mmpretrain.py": ""}),
    "mmfastervit": ("0.1.0", (), {"mmfastervit.py": ""}),
}
SMI = """#!/bin/sh
[ "$1" = -L ] && echo "GPU 0: {name} (UUID: GPU-1)" && exit
echo "| NVIDIA-SMI 550.1    Driver Version: 550.1    CUDA Version: {cuda} |"
"""


@dataclass
class StubStack:
    """Packages that work, until a test breaks one.

    Args:
        python: An interpreter without packages.
        folder: Where the packages are written, and programs for the path.
    """

    python: Path
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self.site, self.bin, self.here = (self.folder / part for part in ("site", "bin", "here"))
        for path in (self.site, self.bin, self.here):
            path.mkdir()
        for name, (version, requires, files) in HEALTHY.items():
            self.distribution(name, version, *requires)
            for file, text in files.items():
                self.write(file, text)
        self.distribution("torch", "2.12.0")
        self.torch()
        self.operators()

    def write(self, file: str, text: str) -> None:
        """Write a module."""
        path = self.site / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def remove(self, name: str, *files: str) -> None:
        """Remove a package's record and files."""
        for info in self.site.glob(f"{name.replace('-', '_')}-*.dist-info"):
            (info / "METADATA").unlink()
            info.rmdir()
        for file in files:
            (self.site / file).unlink()

    def distribution(self, name: str, version: str, *requires: str) -> None:
        """Record a package as pip does, in place of others of its name."""
        self.remove(name)
        info = self.site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        lines += [f"Requires-Dist: {line}" for line in requires]
        (info / "METADATA").write_text("\n".join(lines) + "\n")

    def torch(self, version="2.12.0+cu130", cuda="13.0", gpus=(), numpy="pass") -> None:
        """Write torch, of this build, seeing these GPUs: names and compute capabilities."""
        self.write(
            "torch.py", TORCH.format(version=version, cuda=cuda, gpus=list(gpus), numpy=numpy)
        )

    def operators(self, cuda="not available", does="pass") -> None:
        """Write mmcv's operators."""
        self.write("mmcv/ops.py", OPS.format(cuda=cuda, does=does))

    def driver(self, name="NVIDIA H200", cuda="13.0") -> None:
        """Put a ``nvidia-smi`` on the path that shows a GPU."""
        script = self.bin / "nvidia-smi"
        script.write_text(SMI.format(name=name, cuda=cuda))
        script.chmod(0o755)

    def doctor(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess:
        """Run the command, by the file of a checkout."""
        env = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
        env |= {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "PYTHONPATH": str(self.site),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TORCH_HOME": str(self.here / "torch"),
            **self.env,
        }
        return subprocess.run(
            [str(self.python), str(ROOT / "tools/doctor.py"), *arguments],
            env=env,
            cwd=cwd or self.here,
            capture_output=True,
            text=True,
            check=False,
        )


def bare_python(folder: Path) -> Path:
    """An interpreter without packages."""
    command = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "bin/python"
