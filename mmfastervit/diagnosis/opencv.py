"""OpenCV: several packages share its one module."""

from .builds import of_old_numpy
from .environment import Environment
from .finding import Finding

PACKAGES = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


def installed(environment: Environment) -> dict[str, str]:
    """The packages of OpenCV that are there, with their versions."""
    there = {name: environment.version(name) for name in PACKAGES}
    return {name: version for name, version in there.items() if version}


def several_versions(environment: Environment) -> Finding | None:
    """Packages of different versions in one folder: each has overwritten files of the other."""
    there = installed(environment)
    if len(set(there.values())) < 2:
        return None
    listed = " and ".join(f"{name} {version}" for name, version in there.items())
    newest = max(there.values(), key=lambda version: [int(p) for p in version.split(".")[:3]])
    return Finding(
        f"{listed} have written over each other: both are the module cv2",
        f"{environment.pip('uninstall', '-y', *there)} && "
        f"{environment.pip('install', *(f'{name}=={newest}' for name in there))}",
    )


def not_importing(environment: Environment) -> Finding | None:
    """No OpenCV, or one that does not import."""
    error = environment.error("cv2")
    if not error or of_old_numpy(error):
        return None
    if environment.missing("cv2") and not installed(environment):
        return Finding("OpenCV is not installed", environment.pip("install", "opencv-python"))
    words = ["install", "--force-reinstall", "--no-deps"]
    if "cannot open shared object file" in error:
        told, package = "this machine lacks a library of its displays", "opencv-python-headless"
    else:
        told, package = "its files are damaged", next(iter(installed(environment)), "opencv-python")
    version = next(iter(installed(environment).values()), None)
    wanted = f"{package}=={version}" if version else package
    return Finding(f"OpenCV does not import, as {told}: {error}", environment.pip(*words, wanted))
