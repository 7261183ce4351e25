"""Which models can be exported whole, and how: an adapter for each family of them.

A new kind of model is made known by :func:`register_adapter`; nothing else has to change.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn


class Refused(ValueError):
    """A model, or an option of it, that an exported file would not follow."""


class NoAdapter(Refused):
    """A model of a family that is not known.

    Args:
        model: What it is, with its heads.
    """

    def __init__(self, model: str):
        self.model = model
        known = "; ".join(sorted(adapter.name for adapter in ADAPTERS))
        super().__init__(
            f"whole models are exported of these families: {known}. This is a {model}; take "
            "--part neck or --part backbone, or register an adapter (docs/extending.md)"
        )


@dataclass(frozen=True)
class Adapter:
    """How a family of models is written as one module from images to results.

    Args:
        name: What to call the family.
        takes: Whether a model is of the family.
        wrap: From a model to a module whose ``forward(images, size)`` takes images (B, C, H, W),
            prepared and padded, and the height and width that they had before padding, and gives a
            dict of tensors: ``boxes`` (B, N, 4), ``scores`` (B, N), ``labels`` (B, N), ``count``
            (B,) and, where there are any, ``masks``; or ``classes`` (B, H, W), or ``segments`` of
            the same shape. Raises :class:`Refused` for options of the model that it would not
            follow.
        is_dynamic: Whether the module takes any height and width.
        pads: Whether a picture may be padded up to the size of a batch, as the model's preprocessor
            does it in mm, without the module being told. A file for one size then takes smaller
            pictures too.
    """

    name: str
    takes: Callable[[nn.Module], bool]
    wrap: Callable[[nn.Module], nn.Module]
    is_dynamic: bool = True
    pads: bool = False


ADAPTERS: list[Adapter] = []


def register_adapter(
    name: str,
    takes: Callable[[nn.Module], bool],
    wrap: Callable[[nn.Module], nn.Module],
    is_dynamic: bool = True,
    pads: bool = False,
) -> None:
    """Say how a family of models is exported whole; see :class:`Adapter` for the arguments.

    The one that was registered last is asked first.

    Raises:
        ValueError: A family of this name is known already.
    """
    if any(adapter.name == name for adapter in ADAPTERS):
        raise ValueError(f"how {name} is exported is known already")
    ADAPTERS.insert(0, Adapter(name, takes, wrap, is_dynamic, pads))


def adapter_for(model: nn.Module) -> Adapter:
    """The adapter of a model.

    Raises:
        NoAdapter: There is none for it.
    """
    for adapter in ADAPTERS:
        if adapter.takes(model):
            return adapter
    parts = [type(model).__name__]
    for name in ("bbox_head", "rpn_head", "roi_head", "panoptic_head", "decode_head"):
        if (part := getattr(model, name, None)) is not None:
            parts.append(f"{name} {type(part).__name__}")
    raise NoAdapter(", ".join(parts))


def is_a(part: object, name: str) -> bool:
    """Whether a class of this name is the part's or one that it inherits from.

    By name, so that mmdet and mmseg need not both be installed.
    """
    return any(kind.__name__ == name for kind in type(part).__mro__)


def definers(part: object, methods: Sequence[str]) -> dict[str, str]:
    """The name of the class that each of a part's methods is taken from; '' where it has none."""
    return {
        method: next((kind.__name__ for kind in type(part).__mro__ if method in vars(kind)), "")
        for method in methods
    }
