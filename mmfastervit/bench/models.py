"""The backbones that are measured, by name: ours, the reference implementation's, timm's."""

from importlib.util import find_spec
from typing import Any

import timm
from torch import nn

from mmfastervit.archs import ARCHS
from mmfastervit.models import FasterViT

from .cases import WITH_CP

OURS = tuple(ARCHS)
UPSTREAM = tuple(f"upstream_fastervit_{i}" for i in range(7))
TIMM = {
    "swin_t": "swin_tiny_patch4_window7_224",
    "swin_s": "swin_small_patch4_window7_224",
    "swin_b": "swin_base_patch4_window7_224",
    "convnext_t": "convnext_tiny",
    "convnext_s": "convnext_small",
    "convnext_b": "convnext_base",
}
MODELS = (*OURS, *(name + WITH_CP for name in OURS), *UPSTREAM, *TIMM)
OUR_OPTIONS: dict[str, Any] = dict(drop_path_rate=0.0, out_norm=None)
UPSTREAM_OPTIONS = dict(drop_path_rate=0.0, window_size=[7, 7, 7, 7])
TIMM_OPTIONS: dict[str, Any] = dict(drop_path_rate=0.0, features_only=True)
BUILT = dict(  # what the results say of it
    fastervit=dict(OUR_OPTIONS, returns="maps of four stages"),
    upstream=dict(UPSTREAM_OPTIONS, returns="class scores"),
    timm=dict(TIMM_OPTIONS, returns="maps of four stages"),
)
INSTALL_UPSTREAM = "pip install fastervit==1.0.0"


def build(name: str, size: tuple[int, int], channels: int = 3) -> nn.Module:
    """Build a model by its name for images of a size, without stochastic depth.

    Ours and timm's return the maps of four stages, the reference implementation, which is built
    for three channels alone, class scores. Swin is built for the size, so that the masks of its
    windows are there before it runs.
    """
    if name in TIMM:
        options: dict[str, Any] = dict(img_size=size) if "swin" in name else {}
        return timm.create_model(TIMM[name], **TIMM_OPTIONS, **options, in_chans=channels)
    if name in UPSTREAM:
        return build_upstream(name, size)
    arch, with_cp = name.removesuffix(WITH_CP), name.endswith(WITH_CP)
    return FasterViT(arch, **OUR_OPTIONS, with_cp=with_cp, in_channels=channels)


def build_upstream(name: str, size: tuple[int, int]) -> nn.Module:
    """Build the reference implementation at one size, with its windows of 7.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    if not upstream_is_installed():
        raise ModuleNotFoundError(f"the reference package is not installed: {INSTALL_UPSTREAM}")
    from fastervit import create_model

    upstream = name.replace("upstream_fastervit", "faster_vit") + "_any_res"
    dim = ARCHS[name.removeprefix("upstream_")].dim
    return create_model(upstream, resolution=list(size), dim=dim, **UPSTREAM_OPTIONS)


def is_built_for_size(name: str) -> bool:
    """Whether :func:`build` makes another model of this name for each size of images."""
    return name in UPSTREAM or "swin" in name


def upstream_is_installed() -> bool:
    """Whether there is a reference implementation to measure."""
    return find_spec("fastervit") is not None
