"""All that is known of named necks, heads, preprocessors, backbones and models.

What a neck or a head of another package reads is made known by :func:`register_reader`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mmfastervit.config.tree import Path, dict_at, type_name, walk

from .errors import SwapRefusedError
from .levels import Level, is_dilated
from .probing import necks_of

Also = Callable[[dict, Sequence[Level], Sequence[Level]], Iterable[tuple[str, Any, str]]]


@dataclass(frozen=True)
class Refusal:
    """Why models with a part of some type are refused, and what to take instead."""

    reason: str
    nearest: str | None = None  # by default that of the model, see nearest_config


@dataclass(frozen=True)
class Reader:
    """How a neck or a head reads the maps of what stands before it.

    Args:
        channels: Its argument with the channels of the maps: a list, or a number where it is one.
        index: Its argument with the positions of these maps, if it has one.
        reads: From its config and the number of maps to the positions that it reads. None: what
            ``index`` says, of a neck ``start_level`` and ``end_level``, and else all.
        wants_all: Whether it counts on all maps being there, those that it does not read included.
        joins: Whether it combines its map, pixel by pixel, with what the head before it gives out.
        also: From its config, the old levels and the new ones to other arguments that follow: name,
            new value and reason of each.
        refused: Why the backbone of a model with it can't be swapped, to end "its neck NAME ...";
            None where it can.
    """

    channels: str = "in_channels"
    index: str = "in_index"
    reads: Callable[[dict, int], Sequence[int]] | None = None
    wants_all: bool = False
    joins: bool = False
    also: Also | None = None
    refused: str | Refusal | None = None


def register_reader(name: str, **how: Any) -> None:
    """Say how a neck or head that this package does not know reads the backbone's maps.

    Args:
        name: Its ``type`` in configs, without the package.
        how: The arguments of :class:`Reader`.

    Raises:
        ValueError: A reader of this name is known already.
        TypeError: An unknown argument.

    Example, of a neck that reads the last two maps and calls their channels ``widths``::

        mmfastervit.register_reader(
            "TwoMapNeck", channels="widths", reads=lambda neck, count: (count - 2, count - 1)
        )
    """
    if name in READERS:
        raise ValueError(f"how {name} reads is known already: {READERS[name]}")
    READERS[name] = Reader(**how)


def reader_of(part: Mapping) -> Reader:
    """How a neck or head with this config reads."""
    return READERS.get(type_name(part.get("type", "")), _USUAL)


def last_map(part: dict, count: int) -> tuple[int]:
    """Of necks that read the last map alone, whatever else the backbone gives out."""
    return (count - 1,)


def _of_encoding(head: dict, count: int) -> tuple[int, ...]:
    """EncHead lists maps for lateral connections, which it may not have."""
    named = named_indices(head, count)
    return named if head.get("add_lateral") else named[-1:]


def _ssd_outputs(
    neck: dict, old: Sequence[Level], new: Sequence[Level]
) -> Iterator[tuple[str, Any, str]]:
    channels = (*(level.channels for level in new), *neck["out_channels"][len(new) :])
    yield "out_channels", channels, "SSD's first maps are the backbone's own"


_USUAL = Reader()
READERS: dict[str, Reader] = {
    "CTResNetNeck": Reader(reads=last_map),
    "DilatedEncoder": Reader(reads=last_map),
    "GlobalAveragePooling": Reader(reads=last_map),
    "NASFCOS_FPN": Reader(wants_all=True),  # looks at the maps by fixed positions
    "SSDNeck": Reader(also=_ssd_outputs),
    "SingleRoIExtractor": Reader(channels="out_channels"),
    "GenericRoIExtractor": Reader(channels="out_channels"),
    "EncHead": Reader(reads=_of_encoding),
    "OCRHead": Reader(joins=True),
    "LRASPPHead": Reader(
        refused=Refusal(
            "averages 49x49 pixels of a map of stride 8; at FasterViT's stride 32 the map is "
            "smaller",
            "mmseg::mobilenet_v2/mobilenet-v2-d8_deeplabv3plus_4xb2-80k_cityscapes-512x1024.py",
        )
    ),
}

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

_OF_BACKBONES: Mapping[Refusal, Sequence[str]] = {
    Refusal(
        "is a plain vision transformer, whose maps all have one stride; the head is made for that"
    ): ("VisionTransformer", "BEiT", "MAE"),
    Refusal(
        "is the segmentation method itself: the branches at several resolutions are its point, and "
        "the heads read their fusion",
        _FPN_SEG,
    ): ("BiSeNetV1", "BiSeNetV2", "DDRNet", "FastSCNN", "ICNet", "PIDNet", "STDCContextPathNet"),
    Refusal(
        "is the segmentation method itself: its head is a bare classifier on its map of stride 8",
        _FPN_SEG,
    ): ("CGNet",),
    Refusal(
        "holds encoder and decoder in one, and its heads read the decoder's maps of high "
        "resolution",
        _FPN_SEG,
    ): ("ERFNet", "UNet"),
    Refusal("is a text-to-image diffusion network with a text tower"): ("VPD",),
    Refusal(
        "gives out one map a stack, all of stride 4, and the detector has a set of heads for each",
        "mmdet::centernet/centernet-update_r50_fpn_8xb8-amp-lsj-200e_coco.py",
    ): ("HourglassNet",),
    Refusal(
        "is the method itself: switchable atrous convolution, or a pyramid that feeds back into "
        "the backbone",
        _CASCADE,
    ): ("DetectoRS_ResNet", "DetectoRS_ResNeXt"),
    Refusal(
        "is the method itself: three branches of different dilation share its weights", _FASTER
    ): ("TridentResNet",),
}
BACKBONES_REFUSED = {name: why for why, names in _OF_BACKBONES.items() for name in names}

# Transforms that know the mean of the images.
KNOW_THE_MEAN = {"Normalize", "Expand", "RandomCenterCropPad"}
# Preprocessors that call the channel order to_rgb; those of detectors and segmentors bgr_to_rgb.
TO_RGB = {
    "ClsDataPreprocessor",
    "MultiModalDataPreprocessor",
    "ReIDDataPreprocessor",
    "SelfSupDataPreprocessor",
}
# Swin's position embeddings, which configs list whether or not the model has them.
SWIN_KEYS = ("absolute_pos_embed", "relative_position_bias_table")

DECODE_KEYS = ("decode_head", "auxiliary_head")
_INNER_HEAD = "kernel_generate_head"


class Reading(NamedTuple):
    """What a decode head reads after the swap.

    Args:
        indices: Positions of the maps, in the old model's count.
        why: Reason for the new positions.
    """

    indices: tuple[int, ...]
    why: str = "FasterViT gives out only the maps that are read"


def decode_heads(part: dict, path: Path = ()) -> Iterator[tuple[Path, dict]]:
    """Yield every decode head of a segmentor with its place, those inside other heads included."""
    for key in DECODE_KEYS:
        start = (*path, key)
        for place, head in walk(part.get(key), start):
            inner = place[len(start) :]
            if (
                isinstance(head, dict)
                and all(isinstance(step, int) or step == _INNER_HEAD for step in inner)
                and _INNER_HEAD not in head
                and reader_of(head).channels in head
            ):
                yield place, head


def used_levels(part: dict, levels: Sequence[Level]) -> tuple[int, ...]:
    """Which of the backbone's maps, by position, the swapped model is to read.

    Raises:
        ValueError: the config of a reader says something that does not fit the number of maps.
    """
    necks, count = necks_of(part), len(levels)
    if necks:
        used = set(_read_by_neck(necks[0], count))
    elif "decode_head" in part:
        used = {i for reading in plan_readings(part, (), levels).values() for i in reading.indices}
    else:
        used = set(range(count))
    if not used <= set(range(count)):
        raise ValueError(f"the model reads maps {sorted(used)} of a backbone that has {count}")
    return tuple(sorted(used))


def _read_by_neck(neck: dict, count: int) -> Sequence[int]:
    reader = reader_of(neck)
    if reader.reads is not None:
        return reader.reads(neck, count)
    if reader.wants_all:
        return range(count)
    end = neck.get("end_level", -1)
    return range(neck.get("start_level", 0), count if end in (-1, count - 1) else end + 1)


def plan_readings(part: dict, path: Path, levels: Sequence[Level]) -> dict[Path, Reading]:
    """What each decode head is to read: what it read, where FasterViT's maps allow that.

    A head that joins its map with what the head before it found (OCRHead) has two maps of one size
    from a dilated network. Of FasterViT's, both heads read that head's own.
    """
    count = len(levels)
    readings: dict[Path, Reading] = {}
    for place, head in decode_heads(part, path):
        readings[place] = Reading(head_indices(head, count))
        if len(readings[place].indices) < len(named_indices(head, count)):
            why = "without lateral connections it reads the last map alone"
            readings[place] = Reading(readings[place].indices, why)
        before = place[-1]
        if reader_of(head).joins and is_dilated(levels) and isinstance(before, int):
            kind = type_name(head["type"])
            why = f"the map that {kind}, which multiplies its own with this head's output, reads"
            readings[(*place[:-1], before - 1)] = Reading(readings[place].indices, why)
    return readings


def head_indices(head: dict, count: int) -> tuple[int, ...]:
    """Positions of the maps that a decode head reads, of ``count``."""
    reader = reader_of(head)
    read = named_indices(head, count) if reader.reads is None else tuple(reader.reads(head, count))
    return (0, *read) if head.get("c1_in_channels") else read


def named_indices(head: dict, count: int) -> tuple[int, ...]:
    """Positions of the maps that a decode head names the channels of."""
    reader = reader_of(head)
    channels = head[reader.channels]
    default = range(len(channels)) if isinstance(channels, (list, tuple)) else -1
    index = head.get(reader.index, default)
    index = (index,) if isinstance(index, int) else tuple(index)
    return tuple(i + count if i < 0 else i for i in index)


def check_model(cfg: dict, scope: str | None) -> None:
    """Raise SwapRefusedError for what is no model and for the kinds in :data:`MODELS_REFUSED`."""
    if not isinstance(cfg.get("model"), dict):
        raise SwapRefusedError("the config defines no model: it is a part for others to build on")
    for place, part in (("model", cfg["model"]), ("detector", cfg["model"].get("detector"))):
        if isinstance(part, dict):
            refusal = MODELS_REFUSED.get(type_name(part.get("type", "")))
            _refuse(refusal, place, part, nearest_config(part, scope))


def check_parts(part: dict, scope: str | None) -> None:
    """Raise SwapRefusedError for backbones and heads that are made for each other."""
    nearest, backbone = nearest_config(part, scope), part["backbone"]
    kind = type_name(backbone.get("type", ""))
    _refuse(BACKBONES_REFUSED.get(kind), "backbone", backbone, nearest)
    for path, one in walk(part, skip=("backbone",)):
        if isinstance(one, dict) and path:
            place = next(key for key in reversed(path) if isinstance(key, str))
            _refuse(reader_of(one).refused, place, one, nearest)
    shared = dict_at(part, ("roi_head", "shared_head"))
    if shared:
        raise SwapRefusedError(
            f"its RoI head holds the last stage of {kind} ({type_name(shared['type'])}), which "
            "takes that network's channels",
            nearest,
        )


def nearest_config(part: dict, scope: str | None) -> str | None:
    """An installed config, of the same kind of model as ``part``, that can be swapped."""
    of_package = NEAREST_OF_PACKAGE.get(scope or "")
    return NEAREST_OF_MODEL.get(type_name(part.get("type", "")), of_package)


def _refuse(refusal: str | Refusal | None, place: str, part: dict, nearest: str | None) -> None:
    if refusal is not None:
        refusal = Refusal(refusal) if isinstance(refusal, str) else refusal
        kind = type_name(part["type"])
        raise SwapRefusedError(f"its {place} {kind} {refusal.reason}", refusal.nearest or nearest)
