"""Whether a model's heads tell as many classes apart as there are names."""

from collections.abc import Sequence

from torch import nn

# The parts of a model that tell classes apart; proposals and auxiliary heads are not asked.
_HEADS = ("bbox_head", "decode_head", "mask_head", "panoptic_head", "query_head")


def check_heads(model: nn.Module, classes: Sequence[str], source: str) -> None:
    """Look whether a model's heads tell as many classes apart as there are names.

    Raises:
        ValueError: They don't; says which has how many.
    """
    for name, part in model.named_modules():
        counts = getattr(part, "num_classes", None)
        own = [word for word in name.split(".") if not word.isdigit()]
        if not (own and own[-1] in _HEADS and isinstance(counts, int)) or _is_agnostic(part):
            continue
        if counts != len(classes):
            raise ValueError(
                f"{source}: {len(classes)} names of classes ({', '.join(classes)}), and {name} of "
                f"the model tells {counts} apart; give the names of all, in the order of their "
                "labels, as metainfo.classes of the data set"
            )


def _is_agnostic(head: nn.Module) -> bool:
    """Whether a head says where, and leaves to another which class it is."""
    return bool(getattr(head, "class_agnostic", False))
