"""A swapped model, looked at and tried."""

from mmengine.registry import MODELS

from mmfastervit.checkpoint import load_backbone
from mmfastervit.config.building import without_weights
from mmfastervit.config.tree import plain, value_at
from mmfastervit.trial import StepError, steps

from .audit import audit
from .errors import SwapAuditError
from .planning import Swap


def check(swap: Swap) -> list[str]:
    """Build the swapped model, audit what its heads read, and run one step of each kind.

    Weights are drawn, not loaded. Of a tracker, the detector inside it is run.

    Returns:
        What was found, a line each.

    Raises:
        SwapAuditError: a head reads the wrong map, or a part of the backbone has no gradient.
        Exception: whatever building the model or running it raises.
    """
    lines = [f"stated: {line}" for line in audit(swap)] or [
        "every head reads maps of the strides it read before"
    ]
    try:
        done = list(steps(plain(swap.config.to_dict()), swap.model_path))
    except StepError as error:
        raise SwapAuditError(str(error)) from error
    return lines + [line for _, line in done if line]


def check_weights(swap: Swap) -> str:
    """Load the weights that the swapped backbone starts from into one like it.

    Returns:
        What was found, as a line.

    Raises:
        FileNotFoundError: there is no such file, or it could not be downloaded.
        ValueError: they are not whole, not of this architecture, or no weights.
    """
    backbone = value_at(plain(swap.config.to_dict()), (*swap.model_path, "backbone"))
    init_cfg = {k: v for k, v in backbone["init_cfg"].items() if k != "type"}
    report = load_backbone(MODELS.build(without_weights(backbone)), **init_cfg)
    return f"weights: {report}"
