"""The FasterViT architectures (arXiv 2306.06189, table S.1 and the published models)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

NUM_STAGES = 4
CONV_STAGES = (0, 1)
ATTENTION_STAGES = (2, 3)


@dataclass(frozen=True)
class Arch:
    """What distinguishes one FasterViT from another.

    Args:
        dim: Channels of the first stage; every next stage doubles them.
        in_dim: Channels inside the stem.
        depths: Blocks of the four stages.
        num_heads: Attention heads of the four stages; the first two, convolutional, have no use
            for theirs.
        windows: Window sides of stages 2 and 3, in pixels of the stage's map.
        carrier_size: Carriers along the side of a window in stage 2; 0 for no carriers.
        drop_path_rate: Stochastic depth of the last block in training; rises linearly from 0.
        layer_scale: Initial value of the layer scales in attention blocks; None for none.
        propagate: Whether the carriers are added to the pixels at the end of stage 2.
        mlp_ratio: Hidden features of the MLPs over their channels.

    Raises:
        ValueError: A field is outside what the network can be built from.
    """

    dim: int
    in_dim: int
    depths: tuple[int, int, int, int]
    num_heads: tuple[int, int, int, int]
    windows: tuple[int, int] = (7, 7)
    carrier_size: int = 2
    drop_path_rate: float = 0.2
    layer_scale: float | None = None
    propagate: bool = False
    mlp_ratio: float = 4.0

    def __post_init__(self):
        for name, length in (("depths", NUM_STAGES), ("num_heads", NUM_STAGES), ("windows", 2)):
            values = tuple(getattr(self, name))
            if len(values) != length or not all(_is_count(value) for value in values):
                raise ValueError(f"arch: {name} must be {length} positive integers, not {values}")
            object.__setattr__(self, name, values)
        for name in ("dim", "in_dim"):
            if not _is_count(getattr(self, name)):
                raise ValueError(f"arch: {name} must be a positive integer")
        if not 0 <= self.carrier_size <= min(self.windows):
            raise ValueError(
                f"arch: carrier_size={self.carrier_size} must lie between 0 (no carriers) and the "
                f"window side, {min(self.windows)}"
            )
        for stage in ATTENTION_STAGES:
            if self.channels[stage] % self.num_heads[stage]:
                raise ValueError(
                    f"arch: stage {stage} has {self.channels[stage]} channels, which "
                    f"num_heads={self.num_heads[stage]} does not divide"
                )
        if self.propagate and self.layer_scale is None:
            raise ValueError("arch: propagate scales by the layer scale; set layer_scale")

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the four stages."""
        return tuple(self.dim * 2**stage for stage in range(NUM_STAGES))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _large(dim: int, depths: tuple[int, int, int, int] = (3, 3, 12, 5), **options: Any) -> Arch:
    options = {"num_heads": (4, 8, 16, 32), "drop_path_rate": 0.3, **options}
    return Arch(dim, 64, depths, layer_scale=1e-5, propagate=True, **options)


def _without_carriers(*windows: int) -> Arch:
    return _large(196, windows=windows, carrier_size=0, drop_path_rate=0.42)


ARCHS: Mapping[str, Arch] = {
    "fastervit_0": Arch(64, 64, (2, 3, 6, 5), (2, 4, 8, 16)),
    "fastervit_1": Arch(80, 32, (1, 3, 8, 5), (2, 4, 8, 16)),
    "fastervit_2": Arch(96, 64, (3, 3, 8, 5), (2, 4, 8, 16)),
    "fastervit_3": _large(128, num_heads=(2, 4, 8, 16)),
    "fastervit_4": _large(196),
    "fastervit_5": _large(320),
    "fastervit_6": _large(320, depths=(3, 3, 16, 8), drop_path_rate=0.5),
    "fastervit_4_21k_224": _without_carriers(14, 7),
    "fastervit_4_21k_384": _without_carriers(24, 12),
    "fastervit_4_21k_512": _without_carriers(32, 16),
    "fastervit_4_21k_768": _without_carriers(48, 24),
}


def resolve_arch(arch: str | Mapping) -> Arch:
    """Turn an architecture's name, or a mapping of the fields of :class:`Arch`, into an ``Arch``.

    Raises:
        ValueError: An unknown name or field; the message lists the right ones.
        TypeError: Neither a name nor a mapping.
    """
    if isinstance(arch, str):
        if arch not in ARCHS:
            raise ValueError(f"unknown arch {arch!r}; choose one of {', '.join(ARCHS)}")
        return ARCHS[arch]
    if not isinstance(arch, Mapping):
        raise TypeError(f"arch must be a name or a dict, not {type(arch).__name__}")
    known = [field.name for field in fields(Arch)]
    required = known[:4]
    unknown, missing = sorted(set(arch) - set(known)), sorted(set(required) - set(arch))
    if unknown or missing:
        raise ValueError(
            f"arch: unknown fields {unknown}, missing fields {missing}; "
            f"required are {required}, optional {known[4:]}"
        )
    return Arch(**arch)
