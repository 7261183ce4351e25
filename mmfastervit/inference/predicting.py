"""Predictions of an opened model: from images in memory to plain results."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmfastervit.runtimes import FILE_RUNTIME, TORCH, DoesNotFit, FileModel

from .opening import OpenedModel, open_file, open_model
from .pictures import Unreadable, read_picture
from .pipelines import Pipeline, build_pipeline
from .results import Detections, Prediction, Segmentation
from .tiles import Tiles, detect_in_tiles, sliding

SCORE = 0.3  # as mmdet's demos draw


@dataclass(frozen=True)
class Ready:
    """A picture, read and prepared.

    Attributes:
        image: As the model's pipeline takes it, (H, W, channels).
        sample: What the pipeline made of it.
    """

    image: np.ndarray
    sample: dict[str, Any] = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor that goes into a batch."""
        return tuple(self.sample["inputs"].shape)


class Predictor:
    """Predicts on pictures of any kind with a model that is open.

    Args:
        opened: The model.
        score_thr: Objects of lower scores are left out.
        batch_size: Pictures that go through the model at once. In segmentation those of one size
            alone can.
        classes: Names of the classes that are told; None for all.
        tiles: Cut pictures into tiles, for objects that are small in large pictures; None does not.

    Raises:
        ValueError: A setting is out of its range, a class is none of the model's, or the config has
            no pipeline for pictures.
    """

    def __init__(
        self,
        opened: OpenedModel,
        score_thr: float = SCORE,
        batch_size: int = 1,
        classes: Collection[str] | None = None,
        tiles: Tiles | None = None,
    ):
        if not 0 <= score_thr <= 1:
            raise ValueError(f"score_thr must be from 0 to 1, not {score_thr}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        unknown = [name for name in classes or () if name not in opened.classes]
        if unknown:
            raise ValueError(
                f"the model knows no class {', '.join(map(repr, unknown))}; it knows "
                f"{', '.join(opened.classes)}"
            )
        self.opened, self.score_thr, self.batch_size = opened, score_thr, batch_size
        self.classes = None if classes is None else tuple(classes)
        self.tiles = tiles
        self.channels = opened.channels
        if self._in_tiles:
            Tiles.require_library()
        with sliding(opened.model, self._slides):  # refused here, not at the first picture
            pass

    @property
    def _in_tiles(self) -> bool:
        """Whether each tile is a picture to the model."""
        return self.tiles is not None and self.opened.task == "det"

    @property
    def _slides(self) -> Tiles | None:
        """The tiles that a segmentor goes over by itself."""
        return self.tiles if self.opened.task == "seg" else None

    @cached_property
    def pipeline(self) -> Pipeline:
        """The steps from an image to the model's input."""
        whole = self._slides is not None
        return build_pipeline(self.opened.cfg, self.opened.task, keep_size=whole)

    def predict(self, images: Any, order: str | None = None) -> Any:
        """Predict on a picture, or on several.

        Args:
            images: A path, an array (H, W) or (H, W, 3), a tensor (3, H, W), a PIL picture, or the
                bytes of a file; or a list or other iterable of these, or a tensor (B, 3, H, W).
            order: Of the colours in arrays and tensors, ``"bgr"`` or ``"rgb"``; None is blue first
                in arrays, as of OpenCV, and red first in tensors. See :func:`read_picture`.

        Returns:
            :class:`Detections` or :class:`Segmentation` of a single picture; a list of them of
            several.

        Raises:
            Unreadable: A picture can't be read; a ValueError.
            TypeError: Something is no picture.
        """
        if _is_single(images):
            return next(self.stream([images], order))
        return list(self.stream(images, order))

    def stream(self, images: Iterable[Any], order: str | None = None) -> Iterator[Prediction]:
        """Predict on pictures one batch after the other, as they are asked for."""
        batch: list[Ready] = []
        for picture in images:
            ready = self.prepare(read_picture(picture, self.channels, order))
            if batch and not self.fits(batch, ready):
                yield from self.predict_batch(batch)
                batch = []
            batch.append(ready)
            if len(batch) == self.batch_size:
                yield from self.predict_batch(batch)
                batch = []
        if batch:
            yield from self.predict_batch(batch)

    def prepare(self, image: np.ndarray) -> Ready:
        """Run the steps before the model on an image of :func:`read_picture`.

        Raises:
            Unreadable: They fail on it.
        """
        if self._in_tiles:
            return Ready(image, {})  # each tile is prepared by itself
        return self._prepared(image)

    def _prepared(self, image: np.ndarray) -> Ready:
        try:
            ready = Ready(image, self.pipeline(image))
        except Exception as error:  # a transform of a zoo may raise anything
            text = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise Unreadable(f"it can't be prepared for the model ({text})") from error
        if isinstance(self.opened.model, FileModel):
            try:
                self.opened.model.check(ready.sample["inputs"])
            except DoesNotFit as error:
                raise Unreadable(str(error)) from error
        return ready

    def fits(self, batch: Sequence[Ready], ready: Ready) -> bool:
        """Whether a picture can go through the model together with those of a batch.

        mmdet pads pictures of different size; mmseg refuses them.
        """
        if self._in_tiles:
            return False
        return self.opened.task == "det" or batch[0].shape == ready.shape

    # Not inference_mode: the backbone keeps tables, which a later gradient could not go through.
    @torch.no_grad()
    def predict_batch(self, batch: Sequence[Ready]) -> list[Prediction]:
        """Put pictures through the model at once."""
        if self.tiles and self._in_tiles:
            return [detect_in_tiles(ready.image, self.tiles, self._detect) for ready in batch]
        return self._forward(batch)

    def _detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """Detections of tiles, in batches."""
        found: list[Any] = []
        for start in range(0, len(images), self.batch_size):
            batch = [self._prepared(image) for image in images[start : start + self.batch_size]]
            found += self._forward(batch)
        return found

    def _forward(self, batch: Sequence[Ready]) -> list[Prediction]:
        with sliding(self.opened.model, self._slides):
            samples = self.opened.model.test_step(collated(batch))
        told: Callable[[Any], Prediction] = self._detections
        if self.opened.task == "seg":
            told = self._segmentation
        return [told(sample) for sample in samples]

    def _detections(self, sample: Any) -> Detections:
        found = sample.pred_instances
        found = found[found.scores >= self.score_thr]  # before masks are copied from the device
        found = found[found.scores.argsort(descending=True, stable=True)]
        boxes = getattr(found.bboxes, "tensor", found.bboxes)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"boxes of shape {tuple(boxes.shape)} are no upright boxes (N, 4)")
        masks = found.get("masks")
        whole = Detections(
            boxes.float().cpu().numpy(),
            found.scores.float().cpu().numpy(),
            found.labels.long().cpu().numpy(),
            self.opened.classes,
            self.opened.palette,
            None if masks is None else np.asarray(_on_cpu(masks), dtype=bool),
        )
        return whole.kept(self.score_thr, self.classes)

    def _segmentation(self, sample: Any) -> Segmentation:
        labels = sample.pred_sem_seg.data[0].cpu().numpy()
        kind = np.uint8 if len(self.opened.classes) <= 255 else np.uint16
        whole = Segmentation(labels.astype(kind), self.opened.classes, self.opened.palette)
        return whole.kept(self.classes)


def collated(batch: Sequence[Ready]) -> dict[str, list]:
    """A batch as ``model.test_step`` takes it."""
    return {key: [ready.sample[key] for ready in batch] for key in ("inputs", "data_samples")}


def load(
    config: Any = None,
    checkpoint: str | None = None,
    device: str = "cpu",
    *,
    score_thr: float = SCORE,
    batch_size: int = 1,
    deploy: bool = False,
    classes: Collection[str] | None = None,
    tile: tuple[int, int] | None = None,
    overlap: float = 0.2,
    runtime: str | None = None,
    model: str | Path | None = None,
    precision: str = "fp32",
) -> Predictor:
    """Open a trained model to predict with.

    Args:
        config: A config file, ``"mmdet::FOLDER/FILE.py"``, or a config that was read; None for a
            checkpoint that says which model it is of, as one of ``mmfastervit publish`` does.
        checkpoint: A path, a URL or a name of a zoo; not needed with ``model``.
        device: As torch names it: ``"cpu"``, ``"cuda"``.
        score_thr: Objects of lower scores are left out.
        batch_size: Pictures that go through the model at once.
        deploy: Fold the normalisation and scales of FasterViT into its other weights.
        classes: Names of the classes that are told; None for all.
        tile: Width and height in pixels of tiles that pictures are cut into; None does not.
        overlap: Of tiles, as a share of their sides.
        runtime: What runs the model: ``"torch"``, or of a file ``"onnxruntime"``, which is taken
            where none is named, or ``"openvino"``; on the processor but for torch.
        model: A file of ``mmfastervit export --part model``, to be run in the place of the model
            that it was made of.
        precision: ``"fp32"``, or ``"bf16"`` with torch or OpenVINO.

    Returns:
        An object whose ``predict(images)`` takes paths, arrays, PIL pictures and tensors.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: They do not fit, see :func:`open_model` and :func:`open_file`; or a setting is
            out of its range.
    """
    tiles = None if tile is None else Tiles(*tile, overlap=overlap)
    if model is None:
        if runtime not in (None, TORCH):
            raise ValueError(f"runtime={runtime!r} runs a file: give model='FILE.onnx'")
        if checkpoint is None:
            raise ValueError("checkpoint must name trained weights: load(config, checkpoint)")
        opened = open_model(config, checkpoint, device, deploy, precision)
    else:
        if deploy or device != "cpu":
            raise ValueError(
                f"{model} is run on the processor, as it was exported: device='cpu', deploy=False"
            )
        opened = open_file(config, model, runtime or FILE_RUNTIME, precision, checkpoint)
    return Predictor(opened, score_thr, batch_size, classes, tiles)


def _is_single(images: Any) -> bool:
    if isinstance(images, (list, tuple)):
        return False
    if isinstance(images, torch.Tensor):
        return images.ndim < 4
    return isinstance(images, (str, bytes, bytearray, np.ndarray)) or not hasattr(
        images, "__iter__"
    )


def _on_cpu(masks: Any) -> Any:
    return masks.cpu().numpy() if isinstance(masks, torch.Tensor) else masks
