"""Hosts small enough for tests, one of every kind."""

import mmdet.models  # noqa: F401  (registers the hosts)
import mmpretrain.models  # noqa: F401
import mmseg.models  # noqa: F401
import timm
from mmengine.registry import MODELS
from torch import nn

SWIN = dict(embed_dims=16, depths=(1, 1, 2, 2), num_heads=(1, 2, 2, 4), drop_path_rate=0.0)
SWIN_ARCH = dict(embed_dims=16, depths=[1, 1, 2, 2], num_heads=[1, 2, 2, 4])
CONVNEXT = dict(depths=[1, 1, 2, 1], channels=[8, 16, 32, 64])
EVERY_STAGE = (0, 1, 2, 3)
RESNET = dict(depth=50, base_channels=8, norm_eval=False)
TIMM_SWIN = dict(
    model_name="swin_tiny_patch4_window7_224",
    features_only=True,
    pretrained=False,
    embed_dim=16,
    depths=(1, 1, 2, 2),
    num_heads=(1, 2, 2, 4),
    drop_path_rate=0.0,
    strict_img_size=False,
)
TIMM_CONVNEXT = dict(
    model_name="convnext_atto",
    features_only=True,
    pretrained=False,
    depths=(1, 1, 2, 1),
    dims=(8, 16, 32, 64),
)
HOSTS = {
    "mmdet-swin": dict(type="mmdet.SwinTransformer", **SWIN),
    "mmseg-swin": dict(type="mmseg.SwinTransformer", **SWIN),
    "mmpretrain-swin": dict(
        type="mmpretrain.SwinTransformer",
        arch=SWIN_ARCH,
        drop_path_rate=0.0,
        pad_small_map=True,
        out_indices=EVERY_STAGE,
    ),
    "mmpretrain-convnext": dict(
        type="mmpretrain.ConvNeXt",
        arch=CONVNEXT,
        out_indices=EVERY_STAGE,
        gap_before_final_norm=False,
        layer_scale_init_value=1.0,
    ),
    "mmdet-resnet": dict(type="mmdet.ResNet", **RESNET),
    "mmseg-resnet": dict(type="mmseg.ResNetV1c", **RESNET),
    "mmpretrain-resnet": dict(
        type="mmpretrain.ResNet", depth=18, base_channels=8, out_indices=EVERY_STAGE
    ),
    "mmdet-resnext": dict(type="mmdet.ResNeXt", groups=2, base_width=4, **RESNET),
    "timm-swin": TIMM_SWIN,
    "timm-convnext": TIMM_CONVNEXT,
    "mmseg-timm-swin": dict(type="mmseg.TIMMBackbone", **TIMM_SWIN),
    "mmseg-timm-convnext": dict(type="mmseg.TIMMBackbone", **TIMM_CONVNEXT),
}
SWIN_HOSTS = [name for name in HOSTS if "swin" in name]


def build_host(name: str, **options) -> nn.Module:
    """Build a small host, with mmengine's registry or, bare, with timm."""
    cfg = {**HOSTS[name], **options}
    return MODELS.build(cfg) if "type" in cfg else timm.create_model(**cfg)
