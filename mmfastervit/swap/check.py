"""A swapped model, looked at and tried."""

from mmfastervit.config.tree import plain
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
