"""The lines of the report, in the order to mend things: what others stand on comes first."""

from . import builds, gpu, helpers, machine, opencv, openmmlab, operators
from .environment import Environment
from .finding import Subject, Verdict
from .machine import GB

CPU_ONLY = "none: all runs on the CPU"


def _python(environment: Environment) -> str:
    return ".".join(map(str, environment.python))


def _torch(environment: Environment) -> str:
    facts = environment.facts("torch")
    if not facts:
        return environment.version("torch") or "none"
    cuda = facts["cuda"]
    return f"{facts['version']}, {f'built with CUDA {cuda}' if cuda else 'for CPUs'}"


def _vision(environment: Environment) -> str:
    return _versions(environment, "torchvision", "timm")


def _opencv(environment: Environment) -> str:
    return _versions(environment, *opencv.installed(environment))


def _openmmlab(environment: Environment) -> str:
    return _versions(environment, *(one.name for one in openmmlab.installed(environment)))


def _operators(environment: Environment) -> str:
    facts = environment.facts("mmcv.ops")
    if not facts:
        return "mmcv's do not load"
    cuda = facts["cuda"]
    return f"mmcv's, {'for CPUs' if cuda == operators.NO_CUDA else f'with CUDA {cuda}'}"


def _helpers(environment: Environment) -> str:
    return _versions(environment, "mmfastervit", "setuptools", *helpers.OF_MMSEG)


def _gpu(environment: Environment) -> str:
    there = environment.facts("torch").get("gpus") or environment.driver_gpus
    return ", ".join(f"{name}" for name in there) or CPU_ONLY


def _disk(environment: Environment) -> str:
    return ", ".join(
        f"{folder.free / GB:.0f} GB free for {folder.purpose.rpartition('for ')[2]}"
        for folder in environment.folders
        if not folder.error
    )


def _numpy(environment: Environment) -> str:
    return _versions(environment, "numpy")


def _versions(environment: Environment, *names: str) -> str:
    """``mmcv 2.1.0, mmdet 3.3.0``, or ``2.4.6`` where one package alone has the line's name."""
    there = {name: environment.version(name) for name in names}
    if list(there) == ["numpy"]:
        return there["numpy"] or "none"
    return ", ".join(f"{name} {version}" for name, version in there.items() if version) or "none"


SUBJECTS = (
    Subject("Python", _python, causes=(builds.python_outside,)),
    Subject(
        "torch",
        _torch,
        causes=(builds.not_there, builds.torch_too_old),
        symptoms=(builds.torch_broken,),
    ),
    Subject(
        "GPU",
        _gpu,
        symptoms=(
            gpu.torch_without_cuda,
            gpu.driver_too_old,
            gpu.hidden,
            gpu.not_seen,
            gpu.not_built_for,
        ),
        needs=("torch",),
    ),
    Subject("numpy", _numpy, causes=(builds.numpy_broken, builds.compiled_for_old_numpy)),
    Subject(
        "vision",
        _vision,
        causes=(builds.torchvision_of_another_torch,),
        symptoms=(builds.torchvision_broken, builds.torchvision_without_cuda, builds.timm_unfit),
        needs=("torch",),
    ),
    Subject(
        "OpenCV",
        _opencv,
        causes=(opencv.several_versions,),
        symptoms=(opencv.not_importing,),
        needs=("numpy",),
    ),
    Subject(
        "OpenMMLab",
        _openmmlab,
        causes=(
            openmmlab.two_of_one_name,
            openmmlab.mixed_families,
            openmmlab.outside_range,
            openmmlab.not_for_this_python,
            openmmlab.not_there,
            openmmlab.one_task_alone,
        ),
        symptoms=(openmmlab.not_importing,),
        needs=("torch", "cv2"),
    ),
    Subject(
        "operators",
        _operators,
        symptoms=(operators.not_loading, operators.without_cuda, operators.not_running),
        needs=("mmcv", "torchvision"),
    ),
    Subject(
        "helpers",
        _helpers,
        causes=(helpers.pkg_resources_gone, helpers.mmseg_lacks, helpers.not_installed),
        symptoms=(helpers.not_importing,),
        needs=("timm", "mmengine"),
    ),
    Subject("disk", _disk, causes=(machine.not_writable, machine.disk_full)),
)


def verdicts(environment: Environment) -> tuple[Verdict, ...]:
    """What is found of each subject."""
    return tuple(subject.verdict(environment) for subject in SUBJECTS)
