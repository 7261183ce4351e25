"""Turning a trained model into one that only infers, with less to compute.

Batch normalisation goes into the convolution before it, layer scales into the linear layer before
them, and position tables are kept for each size without looking whether their weights have changed.
"""

from typing import Any, Protocol, TypeVar, runtime_checkable

from torch import nn


@runtime_checkable
class Foldable(Protocol):
    """A layer that takes part in deployment; nothing else has to know of it.

    Attributes:
        deployed: False until :func:`deploy` sets it; it may then overwrite what it computed.
    """

    deployed: bool

    def fold(self) -> None:
        """Fold what inference does not need into other weights; in eval mode, called once."""


M = TypeVar("M", bound=nn.Module)


def deploy(model: M) -> M:
    """Prepare every layer of this package inside a model for inference, in place.

    Works on what contains them as well: a detector, or a backbone with HAT inserted. What was
    deployed already stays as it is. There is no way back but to build the model again and load its
    checkpoint.

    Args:
        model: In eval mode.

    Returns:
        The model; its outputs are those of before to rounding, that of the lower precision under
        autocast, where folded scales no longer raise the tokens to float32.

    Raises:
        RuntimeError: A part of it is in training mode.
        ValueError: It has no layer of this package.
    """
    layers = [m for m in model.modules() if isinstance(m, Foldable)]
    if not layers:
        raise ValueError(f"there is no layer of mmfastervit in this {type(model).__name__}")
    if model.training or any(layer.training for layer in layers):
        raise RuntimeError(
            f"this {type(model).__name__} is in training mode, where batch normalisation depends on"
            " the batch: call eval() before it is deployed"
        )
    for layer in (layer for layer in layers if not layer.deployed):
        layer.fold()
        layer.deployed = True
        layer.requires_grad_(False)
        layer.register_load_state_dict_pre_hook(refuse_loading)
    return model


def refuse_loading(module: nn.Module, *_: Any) -> None:
    """Pre-hook of ``load_state_dict``: a deployed layer has no place for what was trained.

    Raises:
        RuntimeError: Always.
    """
    raise RuntimeError(
        f"this {type(module).__name__} is deployed: its normalisation and scales are folded into"
        " other weights, so a checkpoint cannot be loaded. Build the model again, load the"
        " checkpoint into that, and deploy it"
    )
