"""A model small enough to be measured in a test."""

from torch import nn

from mmfastervit import FasterViT

ARCH = dict(dim=8, in_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2))


def build(name: str, size: tuple[int, int], channels: int = 3) -> nn.Module:
    return FasterViT(ARCH, with_cp=name.endswith("+cp"), in_channels=channels)
