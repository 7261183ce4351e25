"""The file of a model in the place of the model: pipelines and evaluators stay as they are."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseModel
from torch import Tensor

from .results import Size, fill_sample
from .running import open_runtime
from .stated import FLOAT, Stated

_RGB = 3


class DoesNotFit(ValueError):
    """A picture of another size, or of other numbers, than a file takes."""


class FileModel(BaseModel):
    """A detector or segmentor whose file is run by a runtime.

    It takes what a test pipeline gives and fills its data samples as the model itself does: boxes
    and masks, or class maps, in pixels of the original picture. It only predicts.

    In a config it is ``type="mmfastervit.runtimes.model.FileModel"``.

    Args:
        file: Of ``mmfastervit export --part model``.
        runtime: ``"onnxruntime"`` or ``"openvino"``.
        precision: ``"fp32"``, or ``"bf16"`` where runtime and processor have it.
        data_preprocessor: The model's own, by which pictures are normalised for a file that does
            not do so itself.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It does not say what it is, or it can't be opened here.
    """

    def __init__(
        self,
        file: str,
        runtime: str,
        precision: str = "fp32",
        data_preprocessor: dict[str, Any] | None = None,
    ):
        super().__init__(data_preprocessor)
        self.file = Path(file)
        self.stated = Stated.read(self.file)
        self.runtime = open_runtime(runtime, self.file, precision)

    def forward(
        self, inputs: Any, data_samples: list | None = None, mode: str = "predict"
    ) -> list[Any]:
        """Predict on pictures of a pipeline.

        Args:
            inputs: Tensors (C, H, W), not yet prepared by the preprocessor.
            data_samples: One for each; they are filled.
            mode: ``"predict"``.

        Raises:
            DoesNotFit: The file does not take such a picture.
            ValueError: Something else than a prediction is asked for.
        """
        if mode != "predict" or data_samples is None:
            raise ValueError(f"{self.file} predicts with data samples alone, and has no {mode!r}")
        pictures = [self.take(*pair) for pair in zip(inputs, data_samples, strict=True)]
        for places in self._batches(pictures):
            outputs = self.runtime(np.stack([self._padded(pictures[place]) for place in places]))
            for row, place in enumerate(places):
                of_picture = {name: output[row] for name, output in outputs.items()}
                fill_sample(
                    data_samples[place], of_picture, self._size(pictures[place]), self.stated
                )
        return data_samples

    def test_step(self, data: Mapping[str, Any]) -> list[Any]:
        """Predict on a batch as the loader of a test gives it."""
        return self(data["inputs"], data["data_samples"])

    val_step = test_step

    def check(self, picture: Tensor) -> None:
        """Look whether the file takes a picture (C, H, W) of a pipeline.

        Raises:
            DoesNotFit: It does not.
        """
        if self.stated.takes_uint8 and picture.dtype != torch.uint8 and not _is_whole(picture):
            raise DoesNotFit(
                "the config's pipeline makes numbers of pixels that are not whole (to_float32=True)"
                f", and {self.file} takes uint8: export without --uint8"
            )
        height, width = picture.shape[-2:]
        wanted = self.stated.size
        if wanted is None or (height, width) == wanted:
            return
        told = (
            f"it is {height}x{width} (height x width) after the config's pipeline, and {self.file} "
            f"takes {wanted[0]}x{wanted[1]} alone"
        )
        way_out = (
            f"export with --size {height} {width}, or let the pipeline resize and pad to that size"
        )
        if self.stated.precision == FLOAT:  # others take one size in any case
            way_out = f"export without --one-size, or {way_out.removeprefix('export ')}"
        if self.stated.fill is None:
            raise DoesNotFit(f"{told}: this model does not pad pictures; {way_out}")
        if height > wanted[0] or width > wanted[1]:
            raise DoesNotFit(f"{told}, and smaller ones, which are padded; {way_out}")

    def take(self, picture: Tensor, sample: Any) -> np.ndarray:
        """A picture (C, H, W) of a pipeline as the file takes it, but for padding.

        Raises:
            DoesNotFit: The file does not take it.
        """
        height, width = picture.shape[-2:]
        try:
            self.check(picture)
        except DoesNotFit as error:
            path = sample.metainfo.get("img_path")
            raise DoesNotFit(f"{path}: {error}" if path else str(error)) from error
        if self.stated.takes_uint8:
            return _red_first(picture)
        prepared = self.data_preprocessor(dict(inputs=[picture], data_samples=[sample]), False)
        return prepared["inputs"][0, :, :height, :width].cpu().numpy()

    def _size(self, picture: np.ndarray) -> Size:
        sides = picture.shape[:2] if self.stated.takes_uint8 else picture.shape[1:]
        return sides[0], sides[1]

    def _padded(self, picture: np.ndarray) -> np.ndarray:
        """A picture at the size that the file takes."""
        if self.stated.size in (None, self._size(picture)):
            return picture
        assert self.stated.size is not None  # mypy does not see it
        sides = "x".join(map(str, self.stated.size))
        warnings.warn(  # which is shown once
            f"{self.file}: pictures smaller than {sides} are padded to it, as in a batch with a "
            "picture of that size: metrics are not quite those of a test one by one",
            stacklevel=2,
        )
        assert self.stated.fill is not None  # check has asked
        fill = np.array(self.stated.fill, picture.dtype)
        height, width = self._size(picture)
        if self.stated.takes_uint8:
            whole = np.tile(fill, (*self.stated.size, 1))
            whole[:height, :width] = picture
        else:
            whole = np.tile(fill[:, None, None], (1, *self.stated.size))
            whole[:, :height, :width] = picture
        return whole

    def _batches(self, pictures: Sequence[np.ndarray]) -> list[list[int]]:
        """Places of the pictures that go through the file at once: those of one size."""
        if not self.stated.any_batch:
            return [[place] for place in range(len(pictures))]
        batches: dict[Any, list[int]] = {}
        for place, picture in enumerate(pictures):
            key = self._size(picture) if self.stated.size is None else None
            batches.setdefault(key, []).append(place)
        return list(batches.values())


def _is_whole(picture: Tensor) -> bool:
    """Whether all numbers are those of uint8."""
    return torch.equal(picture.round().clamp(0, 255), picture)


def _red_first(picture: Tensor) -> np.ndarray:
    """A pipeline's picture (C, H, W), blue first, as uint8 (H, W, C), red first."""
    array = picture.permute(1, 2, 0).to(torch.uint8).cpu().numpy()
    return array[..., ::-1] if array.shape[2] == _RGB else array


def put_in_place(cfg: Config, file: Path, runtime: str, precision: str = "fp32") -> Stated:
    """Let a config's model be that of a file.

    Args:
        cfg: Config of the model that was exported; its ``model`` is replaced.
        file: Of ``mmfastervit export --part model``.
        runtime: ``"onnxruntime"`` or ``"openvino"``.
        precision: ``"fp32"`` or ``"bf16"``.

    Returns:
        What the file says of itself.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It does not say what it is, or is of another model or of other classes.
    """
    stated = Stated.read(file)
    stated.check(cfg, file)
    preprocessor = cfg.model.get("data_preprocessor") or cfg.get("data_preprocessor")
    cfg.model = ConfigDict(
        type="mmfastervit.runtimes.model.FileModel",
        file=str(file),
        runtime=runtime,
        precision=precision,
        data_preprocessor=preprocessor,
    )
    return stated
