"""What OpenMMLab's releases and their maintained forks (``onedl-*``) answer differently.

The forks import under the names of the packages that they continue, and are installed under others.
"""

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from typing import Any

from mmengine.config.utils import MODULE2PACKAGE


def find_zoos_by_module() -> None:
    """Let mmengine find ``mmseg::FOLDER/FILE.py`` of a package installed under another name.

    mmengine looks for the distribution that a module usually comes in: for ``mmseg`` that is
    ``mmsegmentation``, where the fork is ``onedl-mmsegmentation``. It takes the module's own name
    as well. Names whose distribution is there, or whose module is not, stay as they are.
    """
    for module, name in MODULE2PACKAGE.items():
        if module != name and not _is_installed(name) and find_spec(module) is not None:
            MODULE2PACKAGE[module] = module


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def swaps_colours(preprocessor: Any) -> bool:
    """Whether a data preprocessor of mm's swaps red and blue.

    mmseg's own release keeps that under a name of its own, its fork as mmengine and mmdet do.
    """
    for name in ("channel_conversion", "_channel_conversion"):
        if hasattr(preprocessor, name):
            return getattr(preprocessor, name)
    raise AttributeError(
        f"{type(preprocessor).__name__} does not say whether it swaps red and blue"
    )
