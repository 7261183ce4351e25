"""The console script ``mmfastervit``, beside the package: it starts when that does not import.

``import mmfastervit`` registers the models, so it imports torch, timm and mmengine. ``mmfastervit
doctor`` looks at environments where one of these is broken or missing. It is reached without them,
and so are the words that only list what there is, which would otherwise take seconds: the package
is opened here with the folders that it consists of, and its ``__init__`` is not run.
"""

import importlib.util
import sys
import traceback
from typing import NoReturn

WITHOUT_MODELS = ("doctor", "--help", "-h", "help", "--version", "-V")


def main(name: str | None = None) -> NoReturn:
    """Run a command and exit with its status; without ``name`` the first argument names it."""
    words = sys.argv[1:] if name is None else [name]
    if not words or words[0] in WITHOUT_MODELS:
        _open_without_models()
    try:
        from mmfastervit.commands import main as run
    except Exception:  # torch raises RuntimeError, its libraries OSError, mmdet AssertionError
        traceback.print_exc()
        sys.exit("mmfastervit does not start here: `mmfastervit doctor` says what mends that")
    run(name)


def _open_without_models() -> None:
    spec = importlib.util.find_spec("mmfastervit")
    if spec is None:
        raise ModuleNotFoundError("the package mmfastervit is not beside its console script")
    sys.modules["mmfastervit"] = importlib.util.module_from_spec(spec)
