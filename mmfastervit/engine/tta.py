"""Test-time augmentation for a config that defines none: the image and its mirror image."""

from copy import deepcopy

from mmengine.config import ConfigDict

from mmfastervit.config.tree import loads_annotations, type_name

_META_KEYS = ("flip", "flip_direction")


def default_tta_model(model: ConfigDict, scope: str) -> ConfigDict:
    """Config of the model that merges the predictions over an image's views.

    Boxes are merged by the non-maximum suppression of the detector's own ``test_cfg``, and each box
    that is left keeps its mask.

    Raises:
        ValueError: no such model is known for ``scope``, or the detector finds segments or masks
            that no boxes belong to.
    """
    if scope == "mmseg":
        return ConfigDict(type="SegTTAModel")
    if scope != "mmdet":
        raise ValueError(f"--tta: set tta_model and tta_pipeline, {scope!r} has no default")
    if without_boxes := _finds_without_boxes(model):
        raise ValueError(
            f"--tta: {type_name(model.get('type', 'this model'))} finds {without_boxes}, and views "
            "are merged by boxes: test it without --tta, or set tta_model and tta_pipeline"
        )
    test_cfg = model.get("test_cfg") or {}
    box_cfg = test_cfg.get("rcnn") or test_cfg
    return ConfigDict(
        type="mmfastervit.engine.merging.InstanceTTAModel",
        tta_cfg=dict(
            nms=box_cfg.get("nms") or dict(type="nms", iou_threshold=0.5),
            max_per_img=box_cfg.get("max_per_img", 100),
        ),
    )


def _finds_without_boxes(model: ConfigDict) -> str:
    """What a model finds that has no boxes to be merged by, in words; '' if there is none."""
    if (
        model.get("panoptic_head")
        or model.get("semantic_head")
        or model.get("panoptic_fusion_head")
    ):
        return "segments of the whole image, or masks by queries"
    if model.get("mask_head") and not (model.get("bbox_head") or model.get("roi_head")):
        return "masks without boxes"
    return ""


def flip_pipeline(pipeline: list[dict]) -> list[dict]:
    """Give a test pipeline two views of each image, as it is and mirrored.

    The mirroring comes before padding and before the annotations are loaded: boxes are found
    again at the right place, and the ground truth stays unmirrored.

    Raises:
        ValueError: the pipeline does not end by packing its results.
    """
    names = [type_name(transform["type"]) for transform in pipeline]
    if not names or not names[-1].startswith("Pack"):
        raise ValueError(f"--tta: a test pipeline must end in a Pack...Inputs, got {names}")
    first = next(
        index
        for index, name in enumerate(names)
        if loads_annotations(name) or name.startswith(("Pad", "Pack"))
    )
    views = [dict(type="RandomFlip", prob=prob) for prob in (0.0, 1.0)]
    rest = deepcopy(list(pipeline[first:]))
    if "meta_keys" in rest[-1]:
        rest[-1]["meta_keys"] = tuple(dict.fromkeys((*rest[-1]["meta_keys"], *_META_KEYS)))
    branches = [views, *([transform] for transform in rest)]
    return [*pipeline[:first], dict(type="TestTimeAug", transforms=branches)]
