"""What images a model takes."""

from torch import nn


def channels_in(module: nn.Module) -> int:
    """Channels of the images that a module takes: those of its first convolution, or else 3."""
    convolutions = (part for part in module.modules() if isinstance(part, nn.Conv2d))
    return next((part.in_channels for part in convolutions), 3)
