"""Have the heads of the model as many classes as the data?"""

from collections.abc import Iterator
from typing import Any

from mmfastervit.config.tree import dotted, type_name, walk

from .findings import Finding
from .sources import Source

# Parts with a number of classes of their own: objectness, stuff beside things, text, training aids.
_OTHER_PARTS = (
    "backbone",
    "data_preprocessor",
    "init_cfg",
    "language_model",
    "neck",
    "rpn_head",
    "semantic_head",
    "test_cfg",
    "text_encoder",
    "train_cfg",
)
_OTHER_TYPES = ("RPNHead", "STDCHead", "VPDDepthHead")  # they tell objects or edges from the rest
_COUNTS = ("num_classes", "num_things_classes", "num_stuff_classes")


def check_heads(model: Any, source: Source) -> list[Finding]:
    """Compare every head's number of classes with the class names of the data.

    Args:
        model: The config of the model.
        source: A data set that it learns from or is tested on.
    """
    expected = _expected(source)
    wrong = [
        (place, count, name)
        for place, name, count in head_counts(model)
        if name in expected and count != expected[name]
    ]
    if not wrong:
        return []
    lines = tuple(f"{place} = {count}, of {expected[name]}" for place, count, name in wrong)
    small = any(count < expected[name] for _, count, name in wrong)
    harm = "the last classes are taken for background or end the run" if small else (
        "labels that no class has are predicted"
    )  # fmt: skip
    names = ", ".join(source.classes or ())
    options = " ".join(f"{place}={expected[name]}" for place, _, name in wrong)
    return [
        Finding(
            "model",
            "another number of classes than the data's: " + "; ".join(lines),
            subject="head",
            count=len(wrong),
            examples=(f"classes of {source.key}: {names}",),
            accepted=f"{len(source.classes or ())}, the number of class names; otherwise {harm}",
            remedy=f"--cfg-options {options}",
        )
    ]


def _expected(source: Source) -> dict[str, int]:
    """How many classes the data have for each way of counting them."""
    named = dict(getattr(source.kind, "METAINFO", None) or {})
    named.update(source.cfg.get("metainfo") or {})
    things, stuff = named.get("thing_classes"), named.get("stuff_classes")
    if things is not None and stuff is not None:
        return dict(num_things_classes=len(things), num_stuff_classes=len(stuff))
    if source.classes is None:
        return {}
    return dict(num_classes=len(source.classes), num_things_classes=len(source.classes))


def head_counts(model: Any) -> Iterator[tuple[str, str, int]]:
    """Yield place, name and value of each number of classes that a head of the model has."""
    if reads_text(model):
        return  # its heads have as many outputs as words fit into a text
    for path, part in walk(model, ("model",), skip=_OTHER_PARTS):
        if isinstance(part, dict) and type_name(part.get("type", "")) not in _OTHER_TYPES:
            for name in _COUNTS:
                if type(part.get(name)) is int:
                    yield f"{dotted(path)}.{name}", name, part[name]


def reads_text(model: Any) -> bool:
    """Whether a model is told the names of the classes, so that data may differ in them."""
    return isinstance(model, dict) and "language_model" in model


def ignored_value(model: Any) -> int:
    """The value of a label map that the model's segmentation head ignores."""
    heads = (part for path, part in walk(model, ("model",)) if path[-1] == "decode_head")
    for head in heads:
        first = head[0] if isinstance(head, (list, tuple)) and head else head
        if isinstance(first, dict):
            return first.get("ignore_index", 255)
    return 255
