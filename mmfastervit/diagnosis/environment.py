"""The facts that diagnoses look at, gathered once."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

STANDS_ON = {  # what is tried, in this order, and what must import for that
    "numpy": (),
    "ftfy": (),
    "regex": (),
    "torch": (),
    "torchvision": ("torch",),
    "timm": ("torch", "torchvision"),
    "cv2": ("numpy",),
    "mmengine": ("numpy", "torch", "cv2"),
    "mmcv": ("mmengine",),
    "mmcv.ops": ("mmcv", "torchvision"),
    "mmdet.apis": ("mmcv.ops",),
    "mmseg.apis": ("mmcv.ops", "ftfy", "regex"),
    "mmpretrain": ("mmcv",),
    "mmfastervit": ("timm", "mmengine"),
}
PATIENCE = 600  # seconds for all that is tried: a cold network disk takes minutes for torch


@dataclass(frozen=True)
class Package:
    """An installed distribution: its version, its folder, and what it requires."""

    version: str
    folder: str
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tried:
    """What came of importing a module.

    Args:
        error: Type and text of what was raised, or how the process ended; None if it imports.
        missing: The module that was not found, if that was it.
        facts: What the module says of itself.
    """

    error: str | None = None
    missing: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Folder:
    """A place that is written to: what for, bytes free there, why it can't be written to."""

    path: str
    purpose: str
    free: int
    error: str | None = None


@dataclass(frozen=True)
class Environment:
    """What is known of this machine and this Python.

    Args:
        python: Its version.
        interpreter: The words that start it in a shell here.
        packages: By normalized name; several where one name is installed more than once.
        tried: By module.
        driver_gpus: The GPUs that NVIDIA's driver shows.
        driver_cuda: The newest CUDA that the driver runs, as ``13.0``.
        visible_devices: ``CUDA_VISIBLE_DEVICES``, None where it is not set.
        folders: What is written to.
    """

    python: tuple[int, ...]
    interpreter: str
    packages: Mapping[str, tuple[Package, ...]]
    tried: Mapping[str, Tried]
    driver_gpus: tuple[str, ...] = ()
    driver_cuda: str | None = None
    visible_devices: str | None = None
    folders: tuple[Folder, ...] = ()

    def version(self, name: str) -> str | None:
        """The version of a distribution; None if it is not installed."""
        installed = self.packages.get(name)
        return installed[0].version if installed else None

    def error(self, module: str) -> str | None:
        """Why a module does not import."""
        return self.tried[module].error if module in self.tried else None

    def missing(self, module: str) -> bool:
        """Whether a module is not there at all."""
        top = module.partition(".")[0]
        return module in self.tried and self.tried[module].missing == top

    def broken_below(self, module: str) -> str | None:
        """The first module that this one stands on and that does not import."""
        broken = (self.first_broken(lower) for lower in STANDS_ON[module])
        return next((lower for lower in broken if lower), None)

    def first_broken(self, module: str) -> str | None:
        """The first that does not import, of the modules that this one stands on and itself."""
        return self.broken_below(module) or (module if self.error(module) else None)

    @property
    def gpus(self) -> tuple[str, ...]:
        """The GPUs that a run is to use: those that a variable hides from it are not."""
        if self.visible_devices in ("", "-1", "NoDevFiles"):
            return ()
        return tuple(self.facts("torch").get("gpus", ())) or self.driver_gpus

    def facts(self, module: str) -> Mapping[str, Any]:
        """What a module says of itself; empty if it does not import."""
        return self.tried[module].facts if module in self.tried else {}

    def pip(self, *words: str) -> str:
        """A command of this interpreter's pip."""
        return f"{self.interpreter} -m pip {shlex.join(words)}"


def release(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with: ``(2, 1, 0)`` of ``2.1.0rc1+cu130``.

    ``packaging`` would know more of versions, and may be what is missing.
    """
    return tuple(int(part) for part in re.match(r"[\d.]*", version)[0].split(".") if part)  # type: ignore[index]  # matches always


def gather(modules: Sequence[str] = tuple(STANDS_ON)) -> Environment:
    """Look at this machine and this Python; ``modules`` are tried in another process."""
    gpus, cuda = _driver()
    return Environment(
        python=tuple(sys.version_info[:3]),
        interpreter=_interpreter(),
        packages=_packages(),
        tried=_tried(list(modules)),
        driver_gpus=gpus,
        driver_cuda=cuda,
        visible_devices=os.environ.get("CUDA_VISIBLE_DEVICES"),
        folders=(
            _folder(Path.cwd(), "this folder, for work_dirs"),
            _folder(_hub(), "downloaded weights"),
        ),
    )


def _interpreter() -> str:
    found = shutil.which("python")
    if found and Path(found).absolute() == Path(sys.executable).absolute():
        return "python"
    here = Path(sys.executable)
    if here.is_relative_to(Path.cwd()):
        here = here.relative_to(Path.cwd())
    return shlex.quote(str(here))


def _packages() -> dict[str, tuple[Package, ...]]:
    found: dict[str, list[Package]] = {}
    for one in distributions():
        name = one.metadata["Name"]
        if name:  # what an interrupted pip left may have none
            package = Package(one.version, str(one.locate_file("")), tuple(one.requires or ()))
            known = found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), [])
            if package not in known:
                known.append(package)
    return {name: tuple(packages) for name, packages in found.items()}


def _tried(modules: list[str]) -> dict[str, Tried]:
    """Try modules; one that ends the process is noted, and the rest tried in the next."""
    tried: dict[str, Tried] = {}
    while modules:
        answers, ending = _probed(modules)
        tried |= {answer.pop("module"): Tried(**answer) for answer in answers}
        modules = [module for module in modules if module not in tried]
        if modules:  # it ended in one that it had begun, or before the first
            tried[modules.pop(0)] = Tried(error=ending)
    return tried


def _probed(modules: Sequence[str]) -> tuple[list[dict[str, Any]], str]:
    """The lines that a probe printed, and how it ended."""
    command = [sys.executable, str(Path(__file__).with_name("probe.py")), *modules]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.DEVNULL)
        try:
            status = process.wait(PATIENCE)
            ending = f"the process ended with status {status}"
            if status < 0:
                ending = f"the process was ended by {signal.Signals(-status).name}"
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            ending = f"it had not ended after {PATIENCE} s"
        said.seek(0)
        lines = [line for line in said if line.endswith("}\n")]
    return [json.loads(line) for line in lines], ending


def _driver() -> tuple[tuple[str, ...], str | None]:
    """The GPUs that NVIDIA's driver shows, and the newest CUDA that it runs."""
    if not shutil.which("nvidia-smi"):
        return (), None
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60)
        told = subprocess.run(["nvidia-smi"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return (), None
    names = re.findall(r"^GPU \d+: (.+?)(?: \(UUID.*)?$", done.stdout, re.MULTILINE)
    cuda = re.search(r"CUDA (?:UMD )?Version: *([\d.]+)", told.stdout)
    return tuple(names) if done.returncode == 0 else (), cuda[1] if cuda else None


def _hub() -> Path:
    """Where torch keeps what it downloads, by the same variables, as torch may be broken."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", str(Path(cache, "torch")))
    return Path(home).expanduser() / "hub"


def _folder(path: Path, purpose: str) -> Folder:
    """Free bytes of a folder, or of the nearest that is there; whether a file can be written."""
    there = next(part for part in (path, *path.absolute().parents) if part.exists())
    free = shutil.disk_usage(there).free
    try:
        with tempfile.NamedTemporaryFile(dir=there):
            pass
    except OSError as error:
        return Folder(str(path), purpose, free, error.strerror or str(error))
    return Folder(str(path), purpose, free)
