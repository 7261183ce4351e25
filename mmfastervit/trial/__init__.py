"""One training and one inference step of any OpenMMLab model, on generated input."""

from .steps import StepError, steps

__all__ = ["StepError", "steps"]
