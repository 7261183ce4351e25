"""Taking predictions and labels from a test while it runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import Dataset

from .boxes import Picture, make_picture
from .maps import MapTally, compare


class NothingToReport(ValueError):
    """The data or the predictions of a test are none that a report can be made of."""


class BoxCollector(Hook):
    """Keeps the boxes that a detector finds, beside the labelled ones.

    Labels are the data set's own, in pixels of the file, wherever its pipeline loads them.
    """

    def __init__(self, dataset: Dataset):
        self._found: list[Picture] = []
        self._labelled = labelled_boxes(dataset)

    @property
    def pictures(self) -> list[Picture]:
        """One for each tested picture, in the data set's order, however the test went through it.

        Of equal scores the order decides which comes first, and COCO's evaluation goes by the data.
        """
        places = {path: place for place, path in enumerate(self._labelled)}
        return sorted(self._found, key=lambda picture: places[picture.path])

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Keep the pictures of a batch."""
        for sample in outputs or ():
            path = _path_of(sample)
            if path not in self._labelled:
                raise NothingToReport(f"the data set has no labels of {path}, which was tested")
            truth, labels, ignored = self._labelled[path]
            found = _part(sample, "pred_instances", "bboxes")
            boxes = getattr(found.bboxes, "tensor", found.bboxes)  # mmdet wraps boxes at times
            if boxes.shape[-1] != 4:
                raise NothingToReport(
                    f"boxes of {boxes.shape[-1]} numbers; a report takes x1 y1 x2 y2"
                )
            self._found.append(
                make_picture(
                    path,
                    truth,
                    labels,
                    ignored,
                    boxes.cpu().float().numpy(),
                    found.labels.cpu().numpy(),
                    found.scores.cpu().float().numpy(),
                )
            )


class MapCollector(Hook):
    """Counts the pixels that a segmentor tells right and wrong.

    Attributes:
        tally: The counts, and the worst pictures.
    """

    def __init__(self, classes: int, keep: int):
        self.tally = MapTally(classes, keep)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Count the pictures of a batch."""
        for sample in outputs or ():
            truth, predicted = (
                _part(sample, name, "data").data.squeeze(0).cpu().numpy()
                for name in ("gt_sem_seg", "pred_sem_seg")
            )
            try:
                picture = compare(_path_of(sample), truth, predicted, self.tally.classes)
            except ValueError as error:
                raise NothingToReport(str(error)) from error
            self.tally.add(picture)


def class_names(dataset: Dataset) -> tuple[str, ...]:
    """The classes of a data set.

    Raises:
        NothingToReport: It names none.
    """
    names = (getattr(dataset, "metainfo", None) or {}).get("classes")
    if not names or isinstance(names, str):
        raise NothingToReport(
            "the data set of test_dataloader names no classes; give them as"
            ' test_dataloader.dataset.metainfo=dict(classes=("cat", "dog"))'
        )
    return tuple(map(str, names))


def labelled_boxes(dataset: Any) -> dict[str, tuple[list, list, list]]:
    """Boxes, classes and whether they are ignored, by the path of the picture.

    Raises:
        NothingToReport: The data set gives no labels.
    """
    if not hasattr(dataset, "get_data_info"):
        raise NothingToReport(
            f"test_dataloader reads {type(dataset).__name__}, which gives no labels by picture;"
            " name the data set that it wraps"
        )
    labelled = {}
    for number in range(len(dataset)):
        info = dataset.get_data_info(number)
        labelled[str(info.get("img_path"))] = _boxes_of(info.get("instances") or ())
    if not any(boxes for boxes, _, _ in labelled.values()):
        raise NothingToReport(
            "the data of test_dataloader have no labelled boxes, so there is nothing to compare"
            " with; name labelled ones, as those of val_dataloader:"
            " --cfg-options test_dataloader.dataset.ann_file=FILE"
        )
    return labelled


def _boxes_of(instances: Iterable[Mapping[str, Any]]) -> tuple[list, list, list]:
    parts = [(one["bbox"], one["bbox_label"], bool(one.get("ignore_flag", 0))) for one in instances]
    boxes, labels, ignored = ([part[number] for part in parts] for number in range(3))
    return [np.ravel(box).tolist() for box in boxes], labels, ignored


def _path_of(sample: Any) -> str:
    path = sample.metainfo.get("img_path")
    if path is None:
        raise NothingToReport(
            "the samples of the test do not name their files: 'img_path' is missing in meta_keys of"
            " the last step of the test pipeline"
        )
    return str(path)


def _part(sample: Any, name: str, inner: str) -> Any:
    """A part of a sample.

    Raises:
        NothingToReport: The model or the data give none.
    """
    part = sample.get(name)
    if part is not None and inner in part:
        return part
    if name == "gt_sem_seg":
        raise NothingToReport(
            "the test data have no label maps: LoadAnnotations is missing in the pipeline of"
            " test_dataloader"
        )
    raise NothingToReport(
        f"the model gives no {name}.{inner}; a report is made of boxes or label maps"
    )
