"""Import what may be broken, and say how that went; run as a file, in a process of its own.

``python probe.py MODULE ...`` prints a line of JSON after each module:
``{"module": MODULE, "error": ..., "missing": ..., "facts": {...}}``. The first that has no line is
the one that ended the process. Nothing but the standard library is imported from here.
"""

import importlib
import json
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

Facts = dict[str, Any]


def _of_torch() -> Facts:
    import torch

    def works_with_numpy() -> str | None:
        return _error_of(lambda: torch.zeros(1).numpy())

    seen = torch.cuda.is_available()
    gpus = range(torch.cuda.device_count()) if seen else ()
    return dict(
        version=torch.__version__,
        cuda=torch.version.cuda or (torch.version.hip and "ROCm " + torch.version.hip),
        numpy_error=works_with_numpy(),
        gpus=[torch.cuda.get_device_name(gpu) for gpu in gpus],
        capabilities=[list(torch.cuda.get_device_capability(gpu)) for gpu in gpus],
        built_for=torch.cuda.get_arch_list() if seen else [],
    )


def _of_torchvision() -> Facts:
    import torch
    import torchvision

    boxes, scores = torch.tensor([[0.0, 0, 1, 1]]), torch.ones(1)
    torchvision.ops.nms(boxes, scores, 0.5)
    return dict(cuda=bool(getattr(torchvision.version, "cuda", None)))


def _of_operators() -> Facts:
    import torch
    from mmcv.ops import get_compiling_cuda_version, nms

    def run_on(device: str) -> str | None:
        boxes = torch.tensor([[0.0, 0, 1, 1]], device=device)
        return _error_of(lambda: nms(boxes, boxes[:, 3], 0.5))

    return dict(
        cuda=get_compiling_cuda_version(),
        cpu_error=run_on("cpu"),
        gpu_error=run_on("cuda") if torch.cuda.is_available() else None,
    )


def _of_mmengine() -> Facts:
    from mmengine.utils import is_installed

    return dict(finds_packages_error=_error_of(lambda: is_installed("mmengine")))


FACTS: dict[str, Callable[[], Facts]] = {
    "torch": _of_torch,
    "torchvision": _of_torchvision,
    "mmengine": _of_mmengine,
    "mmcv.ops": _of_operators,
}


def _error_of(attempt: Callable[[], Any]) -> str | None:
    try:
        attempt()
    except Exception as error:  # whatever it is, it is what is asked for
        return _told(error)
    return None


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:600] if text else type(error).__name__


def _try(module: str) -> dict[str, Any]:
    """Import a module and ask what is to be known of it."""
    try:
        importlib.import_module(module)
        facts = FACTS[module]() if module in FACTS else {}
    except (Exception, SystemExit) as error:  # whatever it is, it is what is asked for
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        return dict(module=module, error=_told(error), missing=missing, facts={})
    return dict(module=module, error=None, missing=None, facts=facts)


def main() -> None:
    """Try the modules that the command line names."""
    sys.path.pop(0)  # this file's folder
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")  # what modules print is not to come between
    os.dup2(2, 1)
    for module in sys.argv[1:]:
        print(json.dumps(_try(module)), file=answers, flush=True)
    answers.flush()
    os._exit(0)  # an interpreter that is broken may crash where it ends


if __name__ == "__main__":
    main()
