"""mmcv's compiled operators, ``mmcv._ext``: there, for this torch, and for a GPU that is there."""

from .builds import of_old_numpy
from .environment import Environment
from .finding import Finding
from .openmmlab import COMPILING, RANGES, TESTED_MMCV, installed, not_for_this_python, within

NO_CUDA = "not available"  # what mmcv says of an extension without CUDA


def not_loading(environment: Environment) -> Finding | None:
    """No ``mmcv._ext``, or one that was built for another torch."""
    error = environment.error("mmcv.ops")
    if not error or of_old_numpy(error):
        return None
    if environment.tried["mmcv.ops"].missing == "mmcv._ext":
        told = "mmcv was installed without its operators (mmcv._ext)"
    elif "undefined symbol" in error:
        version = environment.version("torch")
        told = f"mmcv's operators were built for another torch than {version}: {error}"
    else:
        told = f"mmcv's operators do not load: {error}"
    return Finding(told, rebuild(environment))


def without_cuda(environment: Environment) -> Finding | None:
    """Operators for CPUs alone, on a machine with a GPU."""
    facts = environment.facts("mmcv.ops")
    there = environment.gpus
    if not facts or facts["cuda"] != NO_CUDA or not there:
        return None
    cuda = environment.facts("torch").get("cuda")
    return Finding(
        f"mmcv was built without CUDA, and this machine has {there[0]}: segmentation trains on it, "
        f"detectors do not (building needs nvcc{f' of CUDA {cuda}' if cuda else ''})",
        rebuild(environment),
    )


def not_running(environment: Environment) -> Finding | None:
    """Operators that load and fail when they are called, as for a GPU they were not built for."""
    facts = environment.facts("mmcv.ops")
    for place in ("cpu", "gpu") if facts else ():
        without = place == "gpu" and facts["cuda"] == NO_CUDA  # told above
        if (error := facts[f"{place}_error"]) and not without:
            return Finding(
                f"mmcv's operators fail on the {place.upper()}: {error}", rebuild(environment)
            )
    return None


def rebuild(environment: Environment) -> str:
    """The command that compiles mmcv again, without what pip has kept of an earlier build."""
    if instead := not_for_this_python(environment):
        return instead.mend
    there = [one for one in installed(environment) if one.module == "mmcv"]
    wanted, remove = f"mmcv=={TESTED_MMCV}", ""
    if there and there[0].name.endswith("-lite"):
        remove = f"{environment.pip('uninstall', '-y', there[0].name)} && "
    elif there and within(there[0].version, RANGES.get(there[0].name, "")):
        wanted = f"{there[0].name}=={there[0].version}"
    elif there and there[0].name != "mmcv":
        wanted = there[0].name + RANGES[there[0].name]
    setting = f"MMCV_WITH_OPS=1 FORCE_CUDA={1 if environment.gpus else 0}"
    tools = environment.pip("install", "setuptools<81", "wheel", "ninja", "psutil")
    build = environment.pip("install", "--force-reinstall", *COMPILING, wanted)
    return f"{remove}{tools} && {setting} {build}"
