"""Which data sets a config names, of what format, and what the run will read of each."""

import os.path
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmfastervit.config.datasets import classes_of, dataset_class
from mmfastervit.config.tree import (
    is_remote,
    keyed_items,
    leaf_datasets,
    loads_annotations,
    transforms,
    type_name,
    walk,
)

COCO, FOLDERS = "COCO", "folders"
_READERS = {  # of each format, the class whose way of reading is known, and the methods that do it
    COCO: ("mmdet.datasets.coco.CocoDataset", ("load_data_list", "parse_data_info")),
    FOLDERS: ("mmseg.datasets.basesegdataset.BaseSegDataset", ("load_data_list",)),
}


@dataclass(frozen=True)
class Evaluation:
    """What a stage's COCO metric reads.

    Attributes:
        key: Its place in the config.
        ann_file: Its own annotation file; None if it takes the boxes that the data set loads.
        masks: Whether it compares masks.
    """

    key: str
    ann_file: Path | None
    masks: bool


@dataclass(frozen=True)
class Source:
    """A data set that a stage of a run reads.

    Attributes:
        key: Its place in the config, as ``--cfg-options`` writes it.
        cfg: Its config, without wrappers.
        kind: Its class; None where nothing of this name is registered.
        format: ``COCO``, ``FOLDERS``, or '' where the class reads in a way of its own.
        classes: Names of the classes that a model learns from it, in the order of their labels;
            None where neither the config nor the class says.
        training: Whether a run learns from it.
        evaluations: The COCO metrics that go with it.
        left_alone: Why it isn't looked at; '' if it is.
    """

    key: str
    cfg: dict
    kind: type | None
    format: str
    classes: tuple[str, ...] | None
    training: bool
    evaluations: tuple[Evaluation, ...] = ()
    left_alone: str = ""

    def path(self, name: str) -> Path | None:
        """Where ``ann_file`` or ``data_prefix.NAME`` leads; None if it leads nowhere.

        ``data_root`` is put before it as mmengine does.
        """
        holder: Any = self.cfg
        for part in name.split("."):
            holder = holder.get(part) if isinstance(holder, dict) else None
        if not isinstance(holder, str) or (name == "ann_file" and not holder):
            return None
        return Path(os.path.join(self.cfg.get("data_root") or "", holder))

    def transform(self, *names: str) -> dict | None:
        """The first transform of its pipeline that has one of these names."""
        found = (part for name, part in transforms(self.cfg.get("pipeline")) if name in names)
        return next(found, None)

    @property
    def annotation_loaders(self) -> list[dict]:
        """The transforms that load annotations; where there are none the data need no labels."""
        pipeline = transforms(self.cfg.get("pipeline"))
        return [
            part
            for name, part in pipeline
            if loads_annotations(name) and name != "LoadEmptyAnnotations"
        ]


def sources(cfg: Config, stages: Sequence[str]) -> list[Source]:
    """List the data sets of these stages; what two stages read alike stands there once.

    Args:
        cfg: The config as the Runner will get it.
        stages: Of ``"train"``, ``"val"`` and ``"test"``.
    """
    tree = cfg.to_dict()
    found: list[Source] = []
    scope = tree.get("default_scope") or "mmengine"
    for stage in stages:
        evaluations = tuple(_evaluations(tree, stage))
        key = f"{stage}_dataloader"
        for loader_key, loader in keyed_items(tree.get(key), key):
            for place, dataset in leaf_datasets(
                loader.get("dataset") or {}, f"{loader_key}.dataset"
            ):
                source = _source(place, dataset, scope, stage == "train")
                source = replace(source, evaluations=evaluations)
                if not any(_alike(source, other) for other in found):
                    found.append(source)
    return found


def _alike(one: Source, other: Source) -> bool:
    """Whether two stages read the same; the keys of their metrics aside."""
    uses = [[(e.ann_file, e.masks) for e in source.evaluations] for source in (one, other)]
    return one.cfg == other.cfg and one.training == other.training and uses[0] == uses[1]


def _source(key: str, dataset: dict, scope: str, training: bool) -> Source:
    kind = dataset_class(dataset.get("type", ""), scope)
    format_ = _format(kind)
    left_alone = ""
    if is_remote(dataset) or "://" in (dataset.get("data_root") or ""):
        left_alone = "its files are not on this machine"
    elif not format_:
        name = type_name(dataset.get("type", "")) or "a data set without type"
        left_alone = f"{name} reads in a way of its own"
    return Source(key, dataset, kind, format_, classes_of(dataset, kind), training, (), left_alone)


def _format(kind: type | None) -> str:
    """The format of a class that reads as one of the known ones does, not in a way of its own."""
    for format_, (known, methods) in _READERS.items():
        for base in kind.__mro__ if kind else ():
            if f"{base.__module__}.{base.__qualname__}" == known:
                own = any(getattr(kind, name) is not getattr(base, name) for name in methods)
                return "" if own else format_
    return ""


def _evaluations(tree: dict, stage: str) -> Iterator[Evaluation]:
    key = f"{stage}_evaluator"
    for path, part in walk(tree.get(key), (key,)):
        if isinstance(part, dict) and type_name(part.get("type", "")) == "CocoMetric":
            metric = part.get("metric", "bbox")
            metrics = [metric] if isinstance(metric, str) else list(metric)
            ann_file = part.get("ann_file")
            remote = is_remote(part) or "://" in (ann_file or "")
            if not part.get("format_only") and not remote:
                file = Path(ann_file) if ann_file else None
                yield Evaluation(".".join(map(str, path)), file, "segm" in metrics)
