"""The GPU: whether torch was built for it, and whether the driver runs torch's CUDA."""

import re
from collections.abc import Sequence

from .builds import WHEELS
from .environment import Environment, release
from .finding import Finding


def torch_without_cuda(environment: Environment) -> Finding | None:
    """A torch for CPUs, on a machine whose driver shows a GPU."""
    facts = environment.facts("torch")
    if not facts or facts["cuda"] or not environment.driver_gpus:
        return None
    return Finding(
        f"torch {facts['version']} was built without CUDA, and this machine has "
        f"{environment.driver_gpus[0]}",
        environment.pip(
            "install", "--force-reinstall", "torch", "torchvision",
            "--index-url", WHEELS + _tag_for(environment.driver_cuda),
        ),
    )  # fmt: skip


def driver_too_old(environment: Environment) -> Finding | None:
    """A driver that does not run the CUDA that torch was built with."""
    cuda, driver = environment.facts("torch").get("cuda"), environment.driver_cuda
    if not cuda or not driver or cuda.startswith("ROCm"):
        return None
    if release(driver)[0] >= release(cuda)[0]:
        return None
    return Finding(
        f"torch was built with CUDA {cuda}, and the driver runs CUDA {driver} at most",
        environment.pip(
            "install", "--force-reinstall", "torch", "torchvision",
            "--index-url", WHEELS + _tag_for(driver),
        )
        + "   # or update the driver",
    )  # fmt: skip


def hidden(environment: Environment) -> Finding | None:
    """GPUs that a variable hides from torch."""
    facts = environment.facts("torch")
    if not facts or facts["gpus"] or not environment.driver_gpus:
        return None
    if not facts["cuda"] or environment.visible_devices is None:
        return None
    return Finding(
        f"CUDA_VISIBLE_DEVICES='{environment.visible_devices}' hides {environment.driver_gpus[0]}",
        "unset CUDA_VISIBLE_DEVICES",
        fault=False,
    )


def not_seen(environment: Environment) -> Finding | None:
    """A GPU that the driver shows and torch does not find, for none of the reasons above."""
    facts = environment.facts("torch")
    if not facts or facts["gpus"] or not facts["cuda"] or not environment.driver_gpus:
        return None
    if hidden(environment) or driver_too_old(environment):
        return None
    return Finding(
        f"the driver shows {environment.driver_gpus[0]}, and torch finds no GPU",
        f"{environment.interpreter} -c 'import torch; torch.zeros(1).cuda()'   # says why",
    )


def not_built_for(environment: Environment) -> Finding | None:
    """A GPU newer, or older, than those that torch was built for."""
    facts = environment.facts("torch")
    built_for = facts.get("built_for", ())
    for name, capability in zip(facts.get("gpus", ()), facts.get("capabilities", ()), strict=True):
        if not built_for or runs_on(capability, built_for):
            continue
        newest = max(_numbers(arch) for arch in built_for)
        newer = tuple(capability) > newest
        told = (
            f"{name} (compute capability {'.'.join(map(str, capability))}) is "
            f"{'newer' if newer else 'older'} than what torch {facts['version']} was built for "
            f"({', '.join(built_for)})"
        )
        words = ["install", "--upgrade", "torch", "torchvision"]
        if not newer:
            words = ["install", "--force-reinstall", *words[2:], "--index-url", WHEELS + "cu126"]
        return Finding(told, environment.pip(*words))
    return None


def runs_on(capability: Sequence[int], built_for: Sequence[str]) -> bool:
    """Whether code built for these architectures runs on a GPU.

    ``sm_86`` runs on 8.6 to 8.x; ``compute_90`` is compiled on 9.0 and all that are newer.
    """
    for arch in built_for:
        major, minor = _numbers(arch)
        if arch.startswith("compute_") and (major, minor) <= tuple(capability):
            return True
        if arch.startswith("sm_") and major == capability[0] and minor <= capability[1]:
            return True
    return not any(arch.startswith(("sm_", "compute_")) for arch in built_for)  # ROCm: gfx90a


def _numbers(arch: str) -> tuple[int, int]:
    """``(12, 0)`` of ``sm_120`` or ``sm_120a``."""
    found = re.search(r"_(\d+)(\d)[a-z]*$", arch)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _tag_for(driver: str | None) -> str:
    """The builds of torch that a driver runs: all of the same major version of CUDA."""
    return "cu126" if driver and release(driver)[0] < 13 else "cu130"
