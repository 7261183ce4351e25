"""Small modules that OpenMMLab needs and does not ask pip for."""

from pathlib import Path

from .environment import Environment
from .finding import Finding

OF_MMSEG = ("ftfy", "regex")
CHECKOUT = Path(__file__).resolve().parents[2]  # only a checkout runs without being installed


def pkg_resources_gone(environment: Environment) -> Finding | None:
    """No ``pkg_resources``, which setuptools 81 left out.

    mmengine asks it where packages are, for every config that names another (``mmdet::...``), and
    mmcv's build asks it for versions.
    """
    asked = environment.facts("mmengine").get("finds_packages_error") or ""
    if "pkg_resources" not in asked:
        return None
    version = environment.version("setuptools")
    there = f"setuptools {version} has none" if version else "setuptools is not installed"
    return Finding(
        f"mmengine needs pkg_resources to read mmdet::... configs, and {there}",
        environment.pip("install", "setuptools<81"),
    )


def mmseg_lacks(environment: Environment) -> Finding | None:
    """mmseg without what its tokenizer imports."""
    if "mmseg.apis" not in environment.tried or environment.missing("mmseg.apis"):
        return None
    absent = [name for name in OF_MMSEG if environment.error(name)]
    if not absent:
        return None
    return Finding(
        f"mmseg needs {' and '.join(absent)}, and does not ask pip for it",
        environment.pip("install", *absent),
    )


def not_installed(environment: Environment) -> Finding | None:
    """mmfastervit itself is not found from other folders."""
    if not environment.missing("mmfastervit"):
        return None
    return Finding(
        "mmfastervit is not installed for this Python: configs will not find it",
        environment.pip("install", "--no-build-isolation", "-e", str(CHECKOUT)),
    )


def not_importing(environment: Environment) -> Finding | None:
    """mmfastervit does not import, and all that it stands on does."""
    error = environment.error("mmfastervit")
    if not error or environment.missing("mmfastervit"):
        return None
    needed = environment.tried["mmfastervit"].missing or ""
    command = environment.pip("install", needed) if needed else environment.pip("check")
    return Finding(f"mmfastervit does not import: {error}", command)
