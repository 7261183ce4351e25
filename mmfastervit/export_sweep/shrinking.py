"""Models made smaller by one rule for all, so that exporting each takes a minute."""

from dataclasses import asdict
from typing import Any

from mmfastervit.archs import resolve_arch
from mmfastervit.config.building import without_weights
from mmfastervit.config.tree import rebuild, type_name
from mmfastervit.trial.samples import image_size
from mmfastervit.trial.steps import chooses_queries, without_process_group

SIDE = 128
RULE = f"""Of all models alike is made smaller what takes time and is the same again and again:
FasterViT has one block a stage, of the channels that it has; encoders and decoders of transformers
have at most two layers; numbers of candidates (`nms_pre`, `max_per_img`) of 1000 and more are an
eighth; queries that are chosen among the pixels are 30. Pictures are of {SIDE}x{SIDE} pixels, or as
large as the model was made for, and a preprocessor pads them to no more. Segmentors look at whole
pictures (`test_cfg.mode="whole"`), as the refusal to export windows that slide advises. Necks and
heads stay as they are."""
_LAYERS = 2
_REGIONS = ("nms_pre", "max_per_img")
_MANY, _FEWER = 1000, 8
_QUERIES = 30


def picture_side(part: dict) -> int:
    """Height and width of the pictures that a model, by its config, is exported for."""
    return max(SIDE, *image_size(part))


def shrunk(part: dict) -> dict[str, Any]:
    """A model's config by the rule, without weights to load."""
    part = rebuild(without_weights(part), _less)
    part = rebuild(part, without_process_group)
    backbone = part["backbone"]
    if type_name(backbone["type"]) == "FasterViT":
        arch = asdict(resolve_arch(backbone["arch"]))
        backbone["arch"] = {**arch, "depths": (1,) * len(arch["depths"])}
    if chooses_queries(part):
        part["num_queries"] = min(part["num_queries"], _QUERIES)
    settings = part.get("test_cfg") or {}
    if settings.get("mode") == "slide":
        part["test_cfg"] = {**settings, "mode": "whole"}
    _pad_less(part.get("data_preprocessor") or {}, picture_side(part))
    return part


def _less(node: dict) -> dict:
    """A dict of a config, with fewer layers and fewer regions if it says how many."""
    found = {
        key: value // _FEWER
        if key in _REGIONS and isinstance(value, int) and value >= _MANY
        else value
        for key, value in node.items()
    }
    if "layer_cfg" in node and isinstance(node.get("num_layers"), int):
        found["num_layers"] = min(node["num_layers"], _LAYERS)
    return found


def _pad_less(preprocessor: dict, side: int) -> None:
    """Let a preprocessor pad pictures to no more than their own size."""
    preprocessor.pop("batch_augments", None)
    for owner in (preprocessor, preprocessor.get("test_cfg") or {}):
        if owner.get("size"):
            owner["size"] = (side, side)
