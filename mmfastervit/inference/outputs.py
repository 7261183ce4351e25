"""What is written of predictions: drawn pictures and videos, COCO JSON, label maps."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import cv2
import numpy as np
from PIL import Image

from mmfastervit.files import remove_parts, written_whole
from mmfastervit.palettes import Colour

from .drawing import draw
from .inputs import Item
from .pictures import shown
from .results import Detections, Prediction, Segmentation

PICTURES, LABELS, PREDICTIONS = "pictures", "labels", "predictions.json"
_QUALITY = 92  # of JPEG
_VIDEO = ".mp4"


def places(folder: Path) -> list[Path]:
    """The files and folders that results are written to, of any task."""
    return [folder / PICTURES, folder / LABELS, folder / PREDICTIONS]


class Outputs:
    """Writes what is predicted, one picture after the other, and keeps none of it in memory.

    ``predictions.json`` is there, whole, when the block ends, even by an error or an interruption:
    with what was predicted until then.

    Args:
        folder: Where to; made if it is not there.
        classes: Names of the classes, as COCO's categories.
        palette: Their colours, for label maps.
        task: ``"det"`` writes ``predictions.json``, ``"seg"`` writes ``labels/STEM.png``.
        pictures: Whether pictures and videos are drawn.
    """

    def __init__(
        self,
        folder: Path,
        classes: Sequence[str],
        palette: Sequence[Colour],
        task: str,
        pictures: bool = True,
    ):
        self.folder, self.classes, self.task, self.pictures = folder, classes, task, pictures
        self.palette = palette
        self._video: _Video | None = None
        self._stack = ExitStack()
        self._coco: _CocoFile | None = None

    def __enter__(self) -> "Outputs":
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_parts(self.folder)
        if self.task == "det":
            target = self.folder / PREDICTIONS
            self._coco = self._stack.enter_context(_CocoFile(target, self.classes))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._end_video()
        finally:
            self._stack.close()  # whatever happened, what was predicted is kept

    def write(self, item: Item, image: np.ndarray, prediction: Prediction) -> None:
        """Write what was predicted of a picture.

        Args:
            item: The picture.
            image: As the model took it.
            prediction: Of it.
        """
        if isinstance(prediction, Detections) and self._coco:
            self._coco.add(item, image.shape, prediction)
        if isinstance(prediction, Segmentation):
            self._write_labels(item, prediction)
        if self.pictures:
            self._write_picture(item, draw(shown(image), prediction, item.frame is None))

    def _write_labels(self, item: Item, found: Segmentation) -> None:
        stem = item.stem if item.frame is None else f"{item.stem}/{item.frame:06d}"
        path = _made(self.folder / LABELS / f"{stem}.png")
        picture = Image.fromarray(found.labels)
        if found.labels.dtype == np.uint8:  # its values are the labels; colours are for viewers
            picture = Image.fromarray(found.labels, mode="P")
            colours = np.zeros((256, 3), dtype=np.uint8)
            colours[: len(self.palette)] = self.palette
            picture.putpalette(colours.tobytes())
        picture.save(path, compress_level=1)

    def _write_picture(self, item: Item, drawn: np.ndarray) -> None:
        path = self.folder / PICTURES / item.stem
        if item.frame is None:
            self._end_video()
            Image.fromarray(drawn).save(_made(path.with_name(f"{path.name}.jpg")), quality=_QUALITY)
            return
        target = path.with_name(f"{path.name}{_VIDEO}")
        if self._video is None or self._video.path != target:
            self._end_video()
            self._video = _Video(_made(target), drawn.shape, item.rate)
        self._video.add(drawn)

    def _end_video(self) -> None:
        if self._video:
            self._video.close()
            self._video = None


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


class _Video:
    """A video that is written; MPEG-4, which OpenCV's wheels can write everywhere."""

    def __init__(self, path: Path, shape: Sequence[int], rate: float):
        self.path = path
        height, width = (side + side % 2 for side in shape[:2])  # the format takes even sides
        self.size = width, height
        code = cv2.VideoWriter.fourcc(*"mp4v")
        self.writer = cv2.VideoWriter(str(path), code, rate, self.size)
        if not self.writer.isOpened():
            raise OSError(f"OpenCV can't write a video to {path}")

    def add(self, drawn: np.ndarray) -> None:
        width, height = self.size
        frame = np.zeros((height, width, 3), dtype=np.uint8)
        part = drawn[:height, :width, ::-1]
        frame[: part.shape[0], : part.shape[1]] = part
        self.writer.write(frame)

    def close(self) -> None:
        self.writer.release()


class _CocoFile:
    """A file in COCO's format that is written as it grows, and put in its place when it is whole.

    The lists of images and annotations grow in files of their own, as one of the two would have to
    be kept in memory otherwise.
    """

    def __init__(self, target: Path, classes: Sequence[str]):
        self.target, self.classes = target, classes
        self.images = self.annotations = 0

    def __enter__(self) -> "_CocoFile":
        self._stack = ExitStack()
        self._part = self._stack.enter_context(written_whole(self.target))
        rest = self._part.with_name(f"{self._part.name}.images")
        self._stack.callback(lambda: rest.unlink(missing_ok=True))
        self._rest = rest
        self._file: TextIO = self._stack.enter_context(self._part.open("w", encoding="utf-8"))
        self._names: TextIO = self._stack.enter_context(rest.open("w+", encoding="utf-8"))
        self._file.write('{"annotations": [')
        return self

    def add(self, item: Item, shape: Sequence[int], found: Detections) -> None:
        """Add a picture and its objects."""
        self.images += 1
        image: dict[str, Any] = dict(
            id=self.images, file_name=_file_name(item), height=shape[0], width=shape[1]
        )
        if item.frame is not None:
            image["frame"] = item.frame
        self._names.write(("" if self.images == 1 else ",\n") + json.dumps(image))
        for one in found.to_coco(self.images):
            self.annotations += 1
            one = dict(id=self.annotations, **one)
            self._file.write(("\n" if self.annotations == 1 else ",\n") + json.dumps(one))

    def __exit__(self, *error: object) -> None:
        categories = [dict(id=i, name=name) for i, name in enumerate(self.classes, start=1)]
        with self._stack:
            self._file.write('\n],\n"images": [\n')
            self._names.seek(0)
            for line in self._names:
                self._file.write(line)
            self._file.write(f'\n],\n"categories": {json.dumps(categories)}}}\n')
            self._names.close()
            self._file.close()


def _file_name(item: Item) -> str:
    """The path as it was named; of a pipe or a camera, where what is written of it stands."""
    if isinstance(item.picture, Path):
        return item.picture.as_posix()
    return item.told.partition(", frame ")[0] if item.frame is not None else item.stem
