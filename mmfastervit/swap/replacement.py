"""The FasterViT that takes the old backbone's place."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmfastervit.archs import resolve_arch
from mmfastervit.config.tree import type_name
from mmfastervit.models import FasterViT
from mmfastervit.models.layers.conv import SYNCHRONISED_NORMS
from mmfastervit.signatures import options_of

_SETTLED = ("arch", "in_channels", "out_indices", "init_cfg")
OPTIONS = options_of(FasterViT, _SETTLED)


def fastervit_config(
    arch: str | Mapping,
    stages: Sequence[int],
    checkpoint: str | None,
    options: Mapping[str, Any],
    in_channels: int,
) -> dict:
    """Write the config of a FasterViT.

    Args:
        arch: Name of its architecture, or a dict of the fields of ``Arch``.
        stages: Stages whose maps it gives out.
        checkpoint: Path, URL or ``mmfastervit://NAME``; None to train from scratch.
        options: Further arguments of :class:`~mmfastervit.FasterViT`.
        in_channels: Channels of an image.

    Raises:
        ValueError: an unknown arch.
        TypeError: an unknown option.
    """
    resolve_arch(arch)
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise TypeError(f"unknown backbone options {unknown}; there are {', '.join(OPTIONS)}")
    config: dict[str, Any] = dict(
        type="mmfastervit.FasterViT", arch=arch if isinstance(arch, str) else dict(arch)
    )
    if in_channels != 3:
        config["in_channels"] = in_channels
    if tuple(stages) != (0, 1, 2, 3):
        config["out_indices"] = tuple(stages)
    config.update(options)
    if checkpoint is not None:
        config["init_cfg"] = dict(type="Pretrained", checkpoint=checkpoint)
        if in_channels != 3:
            config["init_cfg"]["adapt_channels"] = True
    return config


def settings_of(old: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the old backbone that FasterViT takes over: checkpointing, synchronised BN."""
    kept: dict[str, Any] = {"with_cp": True} if old.get("with_cp") is True else {}
    if type_name((old.get("norm_cfg") or {}).get("type", "")) in SYNCHRONISED_NORMS:
        kept["norm_cfg"] = dict(type="SyncBN", requires_grad=True)
    return kept
