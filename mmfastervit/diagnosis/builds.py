"""Python, torch, torchvision and numpy: versions, and builds that do not go together."""

import re

from .environment import Environment, release
from .finding import Finding

PYTHON = ((3, 10), (3, 13))  # the oldest that is taken, the newest that was tried
OLDEST = {"torch": "2.5", "timm": "1.0"}  # of setup.cfg
WHEELS = "https://download.pytorch.org/whl/"
OLD_NUMPY = (  # what modules say that were compiled for numpy 1, under numpy 2
    "compiled using NumPy 1",
    "numpy.core.multiarray failed to import",
    "numpy.dtype size changed",
    "_ARRAY_API not found",
    "Numpy is not available",
)
COMPILED = ("cv2", "torchvision", "mmcv.ops", "mmdet.apis", "mmseg.apis")


def python_outside(environment: Environment) -> Finding | None:
    """A Python older than what is taken, or newer than what was tried."""
    oldest, newest = PYTHON
    if oldest <= environment.python[:2] <= newest:
        return None
    told = "Python {}.{} is {}: {}.{} to {}.{} are what this package was tried with"
    old = environment.python[:2] < oldest
    return Finding(
        told.format(*environment.python[:2], "too old" if old else "new", *oldest, *newest),
        "python3.11 -m venv .venv && . .venv/bin/activate   # then install again",
        fault=old,
    )


def not_there(environment: Environment) -> Finding | None:
    """No torch."""
    if not environment.missing("torch"):
        return None
    return Finding("torch is not installed", environment.pip("install", "torch", "torchvision"))


def torch_too_old(environment: Environment) -> Finding | None:
    """A torch older than what is taken."""
    version = environment.version("torch")
    if version is None or release(version) >= release(OLDEST["torch"]):
        return None
    return Finding(
        f"torch {version} is too old: {OLDEST['torch']} or newer is needed",
        environment.pip("install", "--upgrade", "torch", "torchvision"),
    )


def torch_broken(environment: Environment) -> Finding | None:
    """A torch that is installed and does not import."""
    if not (error := environment.error("torch")):
        return None
    version = environment.version("torch")
    wanted = f"torch=={_public(version)}" if version else "torch"
    return Finding(
        f"torch does not import: {error}",
        environment.pip("install", "--force-reinstall", "--no-cache-dir", wanted, *_index(version)),
    )


def torchvision_of_another_torch(environment: Environment) -> Finding | None:
    """A torchvision that was built for another version or another CUDA than torch's."""
    torch, vision = environment.packages.get("torch"), environment.packages.get("torchvision")
    if not torch or not vision:
        return None
    pinned = [re.match(r"torch *\(? *==([\w.]+)", line) for line in vision[0].requires]
    wanted = next((match[1] for match in pinned if match), None)
    tags = _tag(torch[0].version), _tag(vision[0].version)
    other = wanted is not None and release(wanted) != release(torch[0].version)
    if not other and (None in tags or tags[0] == tags[1]):
        return None
    built = f"torch {wanted}" if other else tags[1]
    return Finding(
        f"torchvision {vision[0].version} was built for {built}, and torch is {torch[0].version}",
        _torchvision_for(environment),
    )


def torchvision_broken(environment: Environment) -> Finding | None:
    """No torchvision, or one whose operators torch does not find."""
    error = environment.error("torchvision")
    if not error:
        return None
    told = f"torchvision does not import: {error}"
    if environment.missing("torchvision"):
        told = "torchvision is not installed, and timm needs it"
    return Finding(told, _torchvision_for(environment))


def torchvision_without_cuda(environment: Environment) -> Finding | None:
    """A torchvision for CPUs beside a torch for GPUs, which shows at a detector's first step."""
    facts = environment.facts("torchvision")
    if not facts or facts["cuda"] or not environment.facts("torch").get("gpus"):
        return None
    return Finding(
        "torchvision was built without CUDA, and torch with it", _torchvision_for(environment)
    )


def timm_unfit(environment: Environment) -> Finding | None:
    """No timm, an old one, or one that does not import."""
    version, error = environment.version("timm"), environment.error("timm")
    if version and release(version) < release(OLDEST["timm"]):
        told = f"timm {version} is too old: {OLDEST['timm']} or newer is needed"
    elif error and not environment.broken_below("timm"):
        told = f"timm does not import: {error}"
        if environment.missing("timm"):
            told = "timm is not installed"
    else:
        return None
    return Finding(told, environment.pip("install", "--upgrade", f"timm>={OLDEST['timm']}"))


def numpy_broken(environment: Environment) -> Finding | None:
    """No numpy, or one that does not import."""
    if not (error := environment.error("numpy")):
        return None
    told = f"numpy does not import: {error}"
    if environment.missing("numpy"):
        told = "numpy is not installed"
    return Finding(told, environment.pip("install", "--force-reinstall", "numpy"))


def compiled_for_old_numpy(environment: Environment) -> Finding | None:
    """A module compiled for numpy 1 under numpy 2."""
    errors = {module: environment.error(module) for module in COMPILED}
    errors["torch"] = environment.facts("torch").get("numpy_error")
    for module, error in errors.items():
        if error and any(words in error for words in OLD_NUMPY):
            return Finding(
                f"{module} was compiled for another numpy than "
                f"{environment.version('numpy') or 'this one'}: {error}",
                environment.pip("install", "numpy<2"),
            )
    return None


def of_old_numpy(error: str | None) -> bool:
    """Whether an error is that of a module compiled for numpy 1: this file's to tell."""
    return bool(error) and any(words in str(error) for words in OLD_NUMPY)


def _torchvision_for(environment: Environment) -> str:
    """The command for the torchvision that fits torch: pip keeps torch and chooses the other."""
    version = environment.version("torch")
    if version is None:
        return environment.pip("install", "--force-reinstall", "--no-deps", "torchvision")
    numbers = release(version)
    fitting = f"torchvision==0.{numbers[1] + 15}.{(*numbers, 0)[2]}"  # 0.15 came with torch 2.0
    words = ("--force-reinstall", "--no-deps", "--no-cache-dir", fitting)
    return environment.pip("install", *words, *_index(version))


def _public(version: str) -> str:
    return version.partition("+")[0]


def _tag(version: str) -> str | None:
    """``cu130`` of ``2.12.0+cu130``."""
    return version.partition("+")[2] or None


def _index(version: str | None) -> tuple[str, ...]:
    """Where a version with a tag came from; one without came from PyPI."""
    tag = _tag(version) if version else None
    return ("--index-url", WHEELS + tag) if tag else ()
