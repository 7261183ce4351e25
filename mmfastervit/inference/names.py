"""Names of classes: where a config has them, and whether a model's heads have as many."""

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from torch import nn

from mmfastervit.config.datasets import classes_of, dataset_class, metainfo_of
from mmfastervit.config.tree import leaf_datasets

_LOADERS = ("test_dataloader", "val_dataloader", "train_dataloader")
# The parts of a model that tell classes apart; proposals and auxiliary heads are not asked.
_HEADS = ("bbox_head", "decode_head", "mask_head", "panoptic_head", "query_head")


def named_in(cfg: Config) -> tuple[tuple[str, ...], Any]:
    """Names of the classes in a config's data, and their palette; none and None if it has none."""
    scope = cfg.get("default_scope") or "mmengine"
    for loader in _LOADERS:
        dataset = (cfg.get(loader) or {}).get("dataset")
        for _, leaf in leaf_datasets(dataset, loader) if isinstance(dataset, dict) else ():
            kind = dataset_class(leaf.get("type", ""), scope)
            if names := classes_of(leaf, kind):
                return names, metainfo_of(leaf, kind).get("palette")
    return (), None


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
