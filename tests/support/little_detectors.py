"""Models of every family that is exported whole, so small that it takes seconds.

They are the zoo's configs with a tiny FasterViT and narrow heads; weights are random, and spread so
that scores differ from box to box as those of a trained model do.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from mmfastervit.config.finding import find_config

from .little_runs import ARCH

CHANNELS = (8, 16, 32, 64)
WIDTH = 16
CLASSES = 3


def config_of(name: str) -> Config:
    """The config of a little model, by a name of :data:`MAKERS`."""
    model = MAKERS[name]()
    model.setdefault("backbone", dict(type="mmfastervit.FasterViT", arch=ARCH))
    scope = "mmseg" if name in SEGMENTORS else "mmdet"
    return Config(
        dict(
            default_scope=scope,
            custom_imports=dict(imports=["mmfastervit"], allow_failed_imports=False),
            model=model,
        )
    )


def saved(name: str, folder: Path, cfg: Config | None = None) -> tuple[Path, Path]:
    """A little model's config and checkpoint, as files."""
    from mmfastervit.config.building import build_model

    cfg = cfg or config_of(name)
    torch.manual_seed(0)
    model = build_model(cfg)
    model.init_weights()
    spread(model)
    config, checkpoint = folder / f"{name}.py", folder / f"{name}.pth"
    cfg.dump(config)
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    return config, checkpoint


def spread(model: nn.Module) -> None:
    """Make scores and boxes of random weights differ from place to place."""
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
            if isinstance(module, (nn.Conv2d, nn.Linear)) and "backbone" not in name:
                fan = module.weight[0].numel()
                strength = 0.2 if name.endswith(SOFT) else 1.0
                module.weight.normal_(0, strength * math.sqrt(2 / fan))
        for name, value in model.named_parameters():
            if name.endswith(FINAL) and value.ndim == 1:
                value.fill_(-1.5)
            if "fc_cls.bias" in name:
                value[-1] = -1.0  # less of the background


# Layers whose outputs are kept small, so that scores are not all 1 and boxes not as thin as a line
SOFT = ("rpn_cls", "rpn_reg", "fc_cls", "fc_reg", "cls_embed")
# Biases of layers that tell classes, which mmdet sets so that all scores are 0.01 at first
FINAL = ("retina_cls.bias", "conv_cls.bias", "atss_cls.bias", "gfl_cls.bias", "tood_cls.bias",
         "cls_prob_module.2.bias", "reppoints_cls_out.bias", "rtm_cls.0.bias",
         "rtm_cls.1.bias", "rtm_cls.2.bias",
         *(f"conv_{kind}.{i}.bias" for kind in ("cls", "obj") for i in range(3)))  # fmt: skip


def _zoo(name: str) -> dict[str, Any]:
    """A model of mmdet's zoo, with the tiny backbone and a narrow FPN if it has one."""
    model = Config.fromfile(find_config(name)).model.to_dict()
    model["backbone"] = dict(type="mmfastervit.FasterViT", arch=ARCH)
    if model.get("neck", {}).get("type") == "FPN":
        model["neck"].update(in_channels=list(CHANNELS), out_channels=WIDTH)
    return model


def _dense(name: str, **changes: Any) -> dict[str, Any]:
    model = _zoo(name)
    model["bbox_head"].update(
        num_classes=CLASSES, in_channels=WIDTH, feat_channels=WIDTH, stacked_convs=1, **changes
    )
    model["test_cfg"].update(nms_pre=100, max_per_img=20)
    return model


def _narrow_norm() -> dict[str, Any]:
    return dict(norm_cfg=dict(type="GN", num_groups=4, requires_grad=True))


def _rtmdet(name: str) -> dict[str, Any]:
    model = _dense(name, norm_cfg=dict(type="BN"))
    model["backbone"]["out_indices"] = (1, 2, 3)
    model["neck"].update(
        in_channels=list(CHANNELS[1:]), out_channels=WIDTH, norm_cfg=dict(type="BN")
    )
    model["test_cfg"].update(nms_pre=300)
    return model


def _yolox() -> dict[str, Any]:
    model = _zoo("mmdet::yolox/yolox_s_8xb8-300e_coco.py")
    model["data_preprocessor"].pop("batch_augments")
    model["backbone"]["out_indices"] = (1, 2, 3)
    model["neck"].update(in_channels=list(CHANNELS[1:]), out_channels=WIDTH, num_csp_blocks=1)
    model["bbox_head"].update(
        num_classes=CLASSES, in_channels=WIDTH, feat_channels=WIDTH, stacked_convs=1
    )
    return model


def _rpn() -> dict[str, Any]:
    model = _zoo("mmdet::rpn/rpn_r50_fpn_1x_coco.py")
    model["rpn_head"].update(in_channels=WIDTH, feat_channels=WIDTH)
    model["test_cfg"]["rpn"].update(nms_pre=50, max_per_img=30)
    return model


def _legacy() -> dict[str, Any]:
    return _two_stage("mmdet::legacy_1.x/faster-rcnn_r50_fpn_1x_coco_v1.py")


def _two_stage(name: str) -> dict[str, Any]:
    model = _zoo(name)
    model["rpn_head"].update(in_channels=WIDTH, feat_channels=WIDTH)
    heads = model["roi_head"]
    for extractor in ("bbox_roi_extractor", "mask_roi_extractor"):
        if extractor in heads:
            heads[extractor]["out_channels"] = WIDTH
    boxes = heads["bbox_head"]
    for head in boxes if isinstance(boxes, list) else [boxes]:
        head.update(in_channels=WIDTH, fc_out_channels=32, num_classes=CLASSES)
    if "mask_head" in heads:
        heads["mask_head"].update(
            in_channels=WIDTH, conv_out_channels=WIDTH, num_convs=1, num_classes=CLASSES
        )
    model["test_cfg"]["rpn"].update(nms_pre=50, max_per_img=30)
    model["test_cfg"]["rcnn"].update(max_per_img=10)
    return model


def _segmentor(head: dict[str, Any], **changes: Any) -> dict[str, Any]:
    preprocessor = dict(
        type="SegDataPreProcessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=(64, 64),
    )
    head = dict(num_classes=5, norm_cfg=dict(type="BN"), align_corners=False) | head
    return (
        dict(
            type="EncoderDecoder",
            data_preprocessor=preprocessor,
            backbone=dict(type="mmfastervit.FasterViT", arch=ARCH),
            decode_head=head,
            train_cfg=dict(),
            test_cfg=dict(mode="whole"),
        )
        | changes
    )


def _upernet() -> dict[str, Any]:
    return _segmentor(
        dict(type="UPerHead", in_channels=list(CHANNELS), in_index=[0, 1, 2, 3], channels=WIDTH,
             pool_scales=(1, 2, 3, 6))
    )  # fmt: skip


def _segformer() -> dict[str, Any]:
    return _segmentor(
        dict(type="SegformerHead", in_channels=list(CHANNELS), in_index=[0, 1, 2, 3],
             channels=WIDTH)
    )  # fmt: skip


def _transformer(name: str) -> dict[str, Any]:
    """Deformable DETR or DINO with one layer each; 256 channels are fixed in mmdet."""
    model = _zoo(name)
    model["backbone"]["out_indices"] = (1, 2, 3)
    model["neck"].update(in_channels=list(CHANNELS[1:]))
    for part in ("encoder", "decoder"):
        model[part]["num_layers"] = 1
        model[part]["layer_cfg"]["ffn_cfg"]["feedforward_channels"] = 32
    model["bbox_head"]["num_classes"] = CLASSES
    model["num_queries"] = 20
    model["test_cfg"]["max_per_img"] = 10
    return model


def _of_one_map(name: str) -> dict[str, Any]:
    """DETR or one of its kin with one layer each."""
    model = _zoo(name)
    model["backbone"]["out_indices"] = (3,)
    model["neck"].update(in_channels=[CHANNELS[-1]])
    model["encoder"]["num_layers"] = model["decoder"]["num_layers"] = 1
    model["bbox_head"]["num_classes"] = CLASSES
    model["num_queries"] = 20
    model["test_cfg"] = dict(max_per_img=10)
    return model


def _narrow_queries(head: dict[str, Any]) -> None:
    """A head of Mask2Former with 32 channels, one layer of pixels and two of queries."""
    head.update(
        in_channels=list(CHANNELS), feat_channels=32, out_channels=32, num_queries=12,
        positional_encoding=dict(num_feats=16, normalize=True),
    )  # fmt: skip
    pixels, queries = head["pixel_decoder"], head["transformer_decoder"]
    pixels.update(positional_encoding=dict(num_feats=16, normalize=True))
    pixels["norm_cfg"]["num_groups"] = 4
    pixels["encoder"]["num_layers"], queries["num_layers"] = 1, 2
    for layer in (pixels["encoder"]["layer_cfg"], queries["layer_cfg"]):
        for part in layer.values():
            part["embed_dims"] = 32
            if "feedforward_channels" in part:
                part["feedforward_channels"] = 32


def _mask2former(stuff: int, **test_cfg: Any) -> dict[str, Any]:
    model = _zoo("mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py")
    model["data_preprocessor"].pop("batch_augments")
    _narrow_queries(model["panoptic_head"])
    for part in ("panoptic_head", "panoptic_fusion_head"):
        model[part].update(num_things_classes=CLASSES, num_stuff_classes=stuff)
    model["panoptic_head"]["loss_cls"]["class_weight"] = [1.0] * (CLASSES + stuff) + [0.1]
    model["test_cfg"].update(max_per_image=10, object_mask_thr=0.2, iou_thr=0.1, **test_cfg)
    return model


def _mask2former_semantic() -> dict[str, Any]:
    model = _zoo("mmseg::mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py")
    _narrow_queries(model["decode_head"])
    model["decode_head"]["num_classes"] = 5
    model["decode_head"]["loss_cls"]["class_weight"] = [1.0] * 5 + [0.1]
    return model


SEGMENTORS = ("upernet", "segformer", "mask2former-semantic")
MAKERS: dict[str, Callable[[], dict[str, Any]]] = {
    "retinanet": lambda: _dense("mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"),
    "fcos": lambda: _dense("mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py", **_narrow_norm()),
    "atss": lambda: _dense("mmdet::atss/atss_r50_fpn_1x_coco.py", **_narrow_norm()),
    "gfl": lambda: _dense("mmdet::gfl/gfl_r50_fpn_1x_coco.py", **_narrow_norm()),
    "tood": lambda: _dense("mmdet::tood/tood_r50_fpn_1x_coco.py", **_narrow_norm()),
    "reppoints": lambda: _dense(
        "mmdet::reppoints/reppoints-moment_r50_fpn_1x_coco.py",
        point_feat_channels=WIDTH,
        **_narrow_norm(),
    ),
    "foveabox": lambda: _dense("mmdet::foveabox/fovea_r50_fpn_4xb4-1x_coco.py"),
    "rtmdet": lambda: _rtmdet("mmdet::rtmdet/rtmdet_s_8xb32-300e_coco.py"),
    "rtmdet-ins": lambda: _rtmdet("mmdet::rtmdet/rtmdet-ins_s_8xb32-300e_coco.py"),
    "yolox": _yolox,
    "rpn": _rpn,
    "faster-rcnn": lambda: _two_stage("mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"),
    "legacy-faster-rcnn": _legacy,
    "mask-rcnn": lambda: _two_stage("mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"),
    "cascade-rcnn": lambda: _two_stage("mmdet::cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py"),
    "upernet": _upernet,
    "segformer": _segformer,
    "deformable-detr": lambda: _transformer(
        "mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py"
    ),
    **{
        name: lambda path=path: _of_one_map(f"mmdet::{path}.py")
        for name, path in {
            "detr": "detr/detr_r50_8xb2-150e_coco",
            "conditional-detr": "conditional_detr/conditional-detr_r50_8xb2-50e_coco",
            "dab-detr": "dab_detr/dab-detr_r50_8xb2-50e_coco",
        }.items()
    },
    "dino": lambda: _transformer("mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py"),
    "mask2former": lambda: _mask2former(0, panoptic_on=False),
    "mask2former-panoptic": lambda: _mask2former(2, instance_on=False),
    "mask2former-semantic": _mask2former_semantic,
}
