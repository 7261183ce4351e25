"""Which models can't have their backbone swapped, and why."""

from collections.abc import Mapping
from dataclasses import dataclass

from mmfastervit.config.tree import type_name

from .errors import SwapRefusedError


@dataclass(frozen=True)
class Refusal:
    """Why models with a part of this type are refused, and what to take instead."""

    reason: str
    nearest: str | None = None  # by default that of the model, see nearest_config


_UPERNET = "mmseg::swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py"
_FPN_SEG = "mmseg::sem_fpn/fpn_r50_4xb2-80k_cityscapes-512x1024.py"
_DINO = "mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py"
_ATSS = "mmdet::dyhead/atss_r50_fpn_dyhead_1x_coco.py"
_CASCADE = "mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py"
_FASTER = "mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"
_MASK = "mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"
_CLASSIFIER = "mmpretrain::resnet/resnet50_8xb32_in1k.py"

# The nearest config by what the model is; for others, by the package.
NEAREST_OF_MODEL: Mapping[str, str] = {
    "CascadeRCNN": _CASCADE,
    "DINO": _DINO,
    "MaskRCNN": _MASK,
    "RTMDet": "mmdet::rtmdet/rtmdet_x_8xb32-300e_coco.py",
    "YOLOX": "mmdet::yolox/yolox_l_8xb8-300e_coco.py",
}
NEAREST_OF_PACKAGE: Mapping[str, str] = {
    "mmdet": _FASTER,
    "mmpretrain": _CLASSIFIER,
    "mmseg": _UPERNET,
}

_TEXT_TOWER = "has a text tower that was trained together with its image backbone"
_DISTILS = (
    "distils a second detector, whose backbone and checkpoint are its own, on the same "
    "preprocessed images"
)
_PLAIN_VIT = Refusal(
    "is a plain vision transformer, whose maps all have one stride; the head is made for that"
)
_TWO_BRANCHES = Refusal(
    "is the segmentation method itself: the branches at several resolutions are its point, and "
    "the heads read their fusion",
    _FPN_SEG,
)
_ENCODER_DECODER = Refusal(
    "holds encoder and decoder in one, and its heads read the decoder's maps of high resolution",
    _FPN_SEG,
)
_DETECTORS = Refusal(
    "is the method itself: switchable atrous convolution, or a pyramid that feeds back into the "
    "backbone",
    _CASCADE,
)

MODELS_REFUSED: Mapping[str, Refusal] = {
    "GLIP": Refusal(_TEXT_TOWER, _ATSS),
    "GroundingDINO": Refusal(_TEXT_TOWER, _DINO),
    "MultimodalEncoderDecoder": Refusal(
        "segments by CLIP's image and text towers, which belong together"
    ),
    "Detectron2Wrapper": Refusal("is a model of detectron2, configured and built there", _MASK),
    "KnowledgeDistillationSingleStageDetector": Refusal(
        _DISTILS, "mmdet::gfl/gfl_r50_fpn_1x_coco.py"
    ),
    "LAD": Refusal(_DISTILS, "mmdet::paa/paa_r50_fpn_1x_coco.py"),
}

BACKBONES_REFUSED: Mapping[str, Refusal] = {
    "VisionTransformer": _PLAIN_VIT,
    "BEiT": _PLAIN_VIT,
    "MAE": _PLAIN_VIT,
    "BiSeNetV1": _TWO_BRANCHES,
    "BiSeNetV2": _TWO_BRANCHES,
    "CGNet": Refusal(
        "is the segmentation method itself: its head is a bare classifier on its map of stride 8",
        _FPN_SEG,
    ),
    "DDRNet": _TWO_BRANCHES,
    "ERFNet": _ENCODER_DECODER,
    "FastSCNN": _TWO_BRANCHES,
    "ICNet": _TWO_BRANCHES,
    "PIDNet": _TWO_BRANCHES,
    "STDCContextPathNet": _TWO_BRANCHES,
    "UNet": _ENCODER_DECODER,
    "VPD": Refusal("is a text-to-image diffusion network with a text tower"),
    "HourglassNet": Refusal(
        "gives out one map a stack, all of stride 4, and the detector has a set of heads for each",
        "mmdet::centernet/centernet-update_r50_fpn_8xb8-amp-lsj-200e_coco.py",
    ),
    "DetectoRS_ResNet": _DETECTORS,
    "DetectoRS_ResNeXt": _DETECTORS,
    "TridentResNet": Refusal(
        "is the method itself: three branches of different dilation share its weights",
        _FASTER,
    ),
}

HEADS_REFUSED: Mapping[str, Refusal] = {
    "LRASPPHead": Refusal(
        "averages 49x49 pixels of a map of stride 8; at FasterViT's stride 32 the map is smaller",
        "mmseg::mobilenet_v2/mobilenet-v2-d8_deeplabv3plus_4xb2-80k_cityscapes-512x1024.py",
    ),
}


def check_model(cfg: dict, scope: str | None) -> None:
    """Refuse what is no model, and the kinds of model in :data:`MODELS_REFUSED`.

    Raises:
        SwapRefusedError: with the reason.
    """
    if not isinstance(cfg.get("model"), dict):
        raise SwapRefusedError("the config defines no model: it is a part for others to build on")
    for place, part in (("model", cfg["model"]), ("detector", cfg["model"].get("detector"))):
        if isinstance(part, dict):
            _look_up(place, part, MODELS_REFUSED, nearest_config(part, scope))


def check_parts(part: dict, scope: str | None) -> None:
    """Refuse backbones and heads that are made for each other.

    Raises:
        SwapRefusedError: with the reason.
    """
    nearest = nearest_config(part, scope)
    _look_up("backbone", part["backbone"], BACKBONES_REFUSED, nearest)
    for key in ("decode_head", "auxiliary_head"):
        head = part.get(key)
        for one in head if isinstance(head, (list, tuple)) else [head]:
            if isinstance(one, dict):
                _look_up(key, one, HEADS_REFUSED, nearest)
    roi_head = part.get("roi_head")
    if isinstance(roi_head, dict) and roi_head.get("shared_head"):
        raise SwapRefusedError(
            f"its RoI head holds the last stage of {type_name(part['backbone']['type'])} "
            f"({type_name(roi_head['shared_head']['type'])}), which takes that network's channels",
            nearest,
        )


def nearest_config(part: dict, scope: str | None) -> str | None:
    """An installed config, of the same kind of model as ``part``, that can be swapped."""
    of_package = NEAREST_OF_PACKAGE.get(scope or "")
    return NEAREST_OF_MODEL.get(type_name(part.get("type", "")), of_package)


def _look_up(place: str, part: dict, table: Mapping[str, Refusal], nearest: str | None) -> None:
    kind = type_name(part.get("type", ""))
    if kind in table:
        refusal = table[kind]
        raise SwapRefusedError(f"its {place} {kind} {refusal.reason}", refusal.nearest or nearest)
