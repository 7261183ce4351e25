"""Views of an image in test-time augmentation, worked out of the test pipeline."""

from collections.abc import Sequence
from copy import deepcopy

from mmengine.config import ConfigDict

from mmfastervit.config.tree import loads_annotations, type_name, walk

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


def multi_scale_pipeline(
    pipeline: list[dict], ratios: Sequence[float] = (0.75, 1.0, 1.25)
) -> list[dict]:
    """Give a test pipeline views of several sizes, each as it is and mirrored.

    For a config's ``tta_pipeline``::

        tta_pipeline = multi_scale_pipeline(test_pipeline)

    Args:
        pipeline: What the tests do, with a ``Resize`` to a ``scale``; not changed.
        ratios: The views' sizes, as multiples of that scale.

    Raises:
        ValueError: the pipeline does not resize to a scale, or does not end by packing its results.
    """
    *head, views = deepcopy(flip_pipeline(pipeline))
    place = next((i for i, step in enumerate(head) if type_name(step["type"]) == "Resize"), None)
    if place is None or not isinstance(head[place].get("scale"), (tuple, list)):
        names = [type_name(transform["type"]) for transform in pipeline]
        raise ValueError(
            "views of several sizes need a test pipeline with a Resize to scale=(width, height) "
            f"before its annotations are loaded, got {names}"
        )
    sizes = [tuple(round(side * ratio) for side in head[place]["scale"]) for ratio in ratios]
    resizes = [{**head[place], "scale": size} for size in sizes]
    later = ([step] for step in head[place + 1 :])
    branches = [resizes, *later, *views["transforms"]]
    return [*head[:place], dict(type="TestTimeAug", transforms=branches)]


def size_remark(test: list[dict], views: list[dict]) -> str:
    """Say that no view has the size of the test; '' if one has, or where pipelines state no size.

    Views that are multiples of an image's own size, as Cityscapes' are, state none.
    """
    tested, viewed = _sizes(test), _sizes(views)
    if not tested or not viewed or tested & viewed:
        return ""
    told = [", ".join(f"{w}x{h}" for w, h in sorted(sizes)) for sizes in (tested, viewed)]
    return (
        f"--tta: no view has the size of the test pipeline, {told[0]}; they have {told[1]}: "
        "set tta_pipeline to sizes around the test's"
    )


def _sizes(pipeline: list[dict]) -> set[tuple[int, int]]:
    """The sizes that a pipeline's steps resize to, the longer side first."""
    scales = [
        step["scale"]
        for _, step in walk(pipeline)
        if isinstance(step, dict)
        and "Resize" in type_name(step.get("type", ""))
        and "scale" in step
    ]
    pairs = [(scale, scale) if isinstance(scale, int) else scale for scale in scales if scale]
    return {(max(pair), min(pair)) for pair in pairs}
