"""OpenMMLab's packages: families that share import names, and versions that go together."""

import re
from dataclasses import dataclass

from .builds import of_old_numpy
from .environment import Environment, release
from .finding import Finding

FORKS = "onedl"
SHARED = {  # the packages that install a module of one name
    "mmengine": ("mmengine", "mmengine-lite", "onedl-mmengine"),
    "mmcv": ("mmcv", "mmcv-full", "mmcv-lite", "onedl-mmcv"),
    "mmdet": ("mmdet", "onedl-mmdetection"),
    "mmseg": ("mmsegmentation", "onedl-mmsegmentation"),
    "mmpretrain": ("mmpretrain", "onedl-mmpretrain"),
}
RANGES = {  # as the extras of setup.cfg have them
    "mmengine": ">=0.10.7,<0.11",
    "mmcv": ">=2.0.1,<2.2",
    "mmdet": ">=3.3,<3.4",
    "mmsegmentation": ">=1.2.2,<1.3",
    "mmpretrain": ">=1.2",
    "onedl-mmengine": ">=0.10.12",
    "onedl-mmcv": ">=2.3.6",
    "onedl-mmdetection": ">=3.5.1",
    "onedl-mmsegmentation": ">=1.4.2",
    "onedl-mmpretrain": ">=1.3.6",
}
PLAIN = {"mmengine-lite": "mmengine", "mmcv-full": "mmcv", "mmcv-lite": "mmcv"}
APIS = {"mmdet": "mmdet.apis", "mmseg": "mmseg.apis"}
PIP_NAMES = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "skimage": "scikit-image",
    "pkg_resources": "setuptools<81",
}
TESTED_MMCV = "2.1.0"  # of requirements/openmmlab.txt
WITHOUT_MMCV = (3, 13)  # its setup.py reads from locals() what exec() set, which PEP 667 ended
COMPILING = ("--no-deps", "--no-build-isolation", "--no-cache-dir")


@dataclass(frozen=True)
class Installed:
    """A package of OpenMMLab that is there."""

    module: str
    name: str
    version: str

    @property
    def family(self) -> str:
        return FORKS if self.name.startswith(FORKS) else "openmmlab"


def installed(environment: Environment) -> list[Installed]:
    """All that is there, in the order that they stand on each other."""
    return [
        Installed(module, name, version)
        for module, names in SHARED.items()
        for name in names
        if (version := environment.version(name))
    ]


def two_of_one_name(environment: Environment) -> Finding | None:
    """Two packages that install the same module: files of one lie among those of the other."""
    for module, names in SHARED.items():
        there = [one for one in installed(environment) if one.module == module]
        copies = [package for name in names for package in environment.packages.get(name, ())]
        folders = {package.folder for package in copies}
        if len(there) < 2 and len(folders) == len(copies):
            continue  # one name in several folders is a venv over another, and usual
        listed = " and ".join(f"{name} {package.version}" for name in names
                              for package in environment.packages.get(name, ()))  # fmt: skip
        others = [one.family for one in installed(environment) if one.module != module]
        family = max(("openmmlab", FORKS), key=others.count)  # the first where they are even
        keep = _of_family(module, family)
        return Finding(
            f"{listed} are both the module {module}: one hides or overwrites the other",
            f"{environment.pip('uninstall', '-y', *(one.name for one in there))} && "
            f"{install(environment, keep, again=True)}",
        )
    return None


def mixed_families(environment: Environment) -> Finding | None:
    """Packages of OpenMMLab beside forks that import under the same names."""
    there = installed(environment)
    if len({one.family for one in there}) < 2 or two_of_one_name(environment):
        return None
    forks = [one.name for one in there if one.family == FORKS]
    others = [one.name for one in there if one.family != FORKS]
    fewer, more = sorted((forks, others), key=len)
    wanted = "onedl" if more is forks else "openmmlab"
    return Finding(
        f"{', '.join(fewer)} and {', '.join(more)} are of two families, which do not go together",
        f"{environment.pip('uninstall', '-y', *fewer)} && "
        f"{environment.pip('install', '--no-build-isolation', *_family(wanted))}",
    )


def outside_range(environment: Environment) -> Finding | None:
    """A version that the others refuse."""
    for one in installed(environment):
        name = PLAIN.get(one.name, one.name)
        wanted = RANGES.get(name)
        if wanted and not within(one.version, wanted):
            return Finding(
                f"{one.name} {one.version} does not go with the others: {name}{wanted} does",
                install(environment, name),
            )
    return None


def not_for_this_python(environment: Environment) -> Finding | None:
    """An mmcv that is to be compiled, on a Python where its own setup.py fails."""
    there = installed(environment)
    compiled = any(one.module == "mmcv" and not one.name.endswith("-lite") for one in there)
    forks = any(one.family == FORKS for one in there)
    if environment.python[:2] < WITHOUT_MMCV or compiled or forks:
        return None
    commands = [install(environment, "onedl-mmcv")]
    if there:
        commands.insert(0, environment.pip("uninstall", "-y", *(one.name for one in there)))
    others = [wanted for wanted in _family(FORKS) if "mmcv" not in wanted]
    version = "{}.{}".format(*environment.python)
    return Finding(
        f"mmcv {TESTED_MMCV} cannot be built on Python {version}; its fork onedl-mmcv can, "
        "and both can on 3.12",
        " && ".join([*commands, environment.pip("install", *others)]),
    )


def not_there(environment: Environment) -> Finding | None:
    """What every model needs, or both task packages, are not installed."""
    modules = {one.module for one in installed(environment)}
    family = FORKS if any(one.family == FORKS for one in installed(environment)) else "openmmlab"
    absent = [name for name in ("mmengine", "mmcv") if name not in modules]
    if not {"mmdet", "mmseg"} & modules:
        absent += ["mmdet", "mmseg"]
    if not absent or not_for_this_python(environment):
        return None
    names = [_of_family(module, family) for module in absent]
    commands = [install(environment, name) for name in names if name.endswith("mmcv")]
    plain = [f"{name}{RANGES[name]}" for name in names if not name.endswith("mmcv")]
    if plain:
        commands.insert(0, environment.pip("install", *plain))
    return Finding(f"{', '.join(names)} not installed", " && ".join(commands))


def one_task_alone(environment: Environment) -> Finding | None:
    """Detection or segmentation has no package."""
    there = installed(environment)
    modules = {one.module for one in there}
    if len({"mmdet", "mmseg"} & modules) != 1 or not_for_this_python(environment):
        return None
    module, task = ("mmdet", "detects") if "mmseg" in modules else ("mmseg", "segments")
    name = _of_family(module, there[0].family)
    return Finding(
        f"{name} is not installed: nothing {task} here",
        environment.pip("install", f"{name}{RANGES[name]}"),
        fault=False,
    )


def not_importing(environment: Environment) -> Finding | None:
    """A package that is there, stands on ones that import, and does not import itself."""
    for one in installed(environment):
        module = APIS.get(one.module, one.module)
        error = environment.error(module)
        if not error or of_old_numpy(error) or environment.broken_below(module):
            continue
        needed = (environment.tried[module].missing or "").partition(".")[0]
        wanted = PIP_NAMES.get(needed, needed)
        if not wanted or needed == one.module:
            command = install(environment, one.name, again=True)
        else:
            command = environment.pip("install", wanted)
        return Finding(f"{module} does not import: {error}", command)
    return None


def install(environment: Environment, name: str, again: bool = False) -> str:
    """The command for a package at a version that goes with the others; mmcv is compiled."""
    wanted = f"{name}{RANGES.get(name, '')}"
    force = ("--force-reinstall",) if again else ()
    if not name.endswith("mmcv"):
        return environment.pip("install", *force, *(("--no-deps",) if again else ()), wanted)
    if name == "mmcv":
        wanted = f"mmcv=={TESTED_MMCV}"
    tools = environment.pip("install", "setuptools<81", "wheel", "ninja", "psutil")
    return f"{tools} && {environment.pip('install', *force, *COMPILING, wanted)}"


def within(version: str, wanted: str) -> bool:
    """Whether a version is in a range such as ``>=2.0.1,<2.2``."""
    for sign, bound in re.findall(r"(>=|<)([\d.]+)", wanted):
        if (release(version) >= release(bound)) != (sign == ">="):
            return False
    return True


def _of_family(module: str, family: str) -> str:
    names = SHARED[module]
    return names[-1] if family == FORKS else names[0]


def _family(family: str) -> list[str]:
    names = (_of_family(module, family) for module in ("mmengine", "mmcv", "mmdet", "mmseg"))
    return [f"{name}{RANGES[name]}" for name in names]
