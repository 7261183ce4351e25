"""The sheet's measures of a model that was opened, on a picture as people have them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from mmfastervit.inference.opening import OpenedModel, open_model
from mmfastervit.inference.pictures import read_picture, shown
from mmfastervit.inference.predicting import Predictor, collated

from .cam import Cam, Target, detection_target, load_library, measure_cam, segmentation_target
from .field import COPIES
from .layout import Scale
from .measuring import Measured, check_point, measure_network
from .stages import HATStage, choose_stage, run_to


@dataclass(frozen=True)
class Prepared:
    """A picture as a model takes it.

    Args:
        image: (1, channels, height, width), normalised and padded.
        samples: Its data sample, in a list.
        scale: How it was made of the picture.
    """

    image: Tensor
    samples: list[Any]
    scale: Scale


def explain(
    config: str | Path | Config | None,
    checkpoint: str | None,
    picture: Any,
    point: tuple[float, float],
    *,
    device: str = "cpu",
    stage: str | None = None,
    copies: int = COPIES,
    with_cam: bool = False,
) -> Measured:
    """Open a model and measure what one point of a picture listens to; see :func:`measure`.

    Args:
        config: As :func:`mmfastervit.inference.open_model` takes it, as the next.
        checkpoint: None for random weights.
        picture: As :func:`mmfastervit.inference.read_picture` takes it.
        point: (x, y) in pixels of the picture.
        device: As torch names it.
    """
    opened = open_model(config, checkpoint, device)
    return measure(
        opened,
        picture,
        point,
        is_trained=checkpoint is not None,
        stage=stage,
        copies=copies,
        with_cam=with_cam,
    )


def measure(
    opened: OpenedModel,
    picture: Any,
    point: tuple[float, float],
    *,
    is_trained: bool = True,
    stage: str | None = None,
    copies: int = COPIES,
    with_cam: bool = False,
) -> Measured:
    """Measure what one point of a picture listens to in a model.

    The picture is prepared as for testing and goes through the model whole, also where a segmentor
    is set to slide over it in pieces.

    Args:
        opened: The model, as it is after loading; not deployed.
        picture: As :func:`mmfastervit.inference.read_picture` takes it.
        point: (x, y) in pixels of the picture.
        is_trained: Whether its weights are those of a checkpoint.
        stage: Name of the stage with HAT, or the end of its name; None for the first.
        copies: Noisy copies of the picture that receptive fields are averaged over.
        with_cam: Measure Grad-CAM too, by the library ``grad-cam``.

    Raises:
        ValueError: The picture can't be read, the point is not on it, the model has no HAT there,
            or Grad-CAM can't be had.
    """
    if with_cam:
        load_library()
    chosen = choose_stage(opened.model, stage)
    predictor = Predictor(opened)
    image = read_picture(picture, predictor.channels)
    check_point(point, image.shape[1], image.shape[0])
    prepared = prepare(predictor, image)
    in_backbone = chosen.name.startswith("backbone.")
    model: Any = opened.model
    run: Callable[[Tensor], Any] = model.backbone if in_backbone else model.extract_feat
    return measure_network(
        model,
        run,
        prepared.image,
        shown(image),
        prepared.scale,
        point,
        name=opened.name,
        is_trained=is_trained,
        stage=chosen.name,
        copies=copies,
        cam=(lambda hat: _cam(opened, run, prepared, point, hat)) if with_cam else None,
    )


def prepare(predictor: Predictor, image: Any) -> Prepared:
    """Make of an image of ``read_picture`` what the model's network takes."""
    ready = predictor.prepare(image)
    model: Any = predictor.opened.model
    with torch.no_grad():
        data = model.data_preprocessor(collated([ready]), False)
    height, width = image.shape[:2]
    meta = data["data_samples"][0].metainfo
    factors = meta.get("scale_factor")
    if factors is None:
        factors = meta["img_shape"][1] / width, meta["img_shape"][0] / height
    return Prepared(
        data["inputs"], data["data_samples"], Scale(width, height, *map(float, factors[:2]))
    )


def _cam(
    opened: OpenedModel,
    run: Callable[[Tensor], Any],
    prepared: Prepared,
    point: tuple[float, float],
    stage: HATStage,
) -> Cam:
    """Grad-CAM of what the model says of the point."""
    scale, image = prepared.scale, prepared.image
    height, width = round(scale.height * scale.y), round(scale.width * scale.x)
    with torch.no_grad():
        windows = run_to(stage, run, image).windows
    target = _target(opened, prepared, (point[0] * scale.x, point[1] * scale.y))
    return measure_cam(opened.model, image, target, stage, windows, (height, width))


def _target(opened: OpenedModel, prepared: Prepared, point: tuple[float, float]) -> Target:
    """What Grad-CAM explains: the class, or the detection, at a point (x, y) of the image."""
    image, samples = prepared.image, prepared.samples
    if opened.task == "det":
        return detection_target(opened.model, opened.classes, image, samples, point)
    height, width = image.shape[2:]
    pixel = min(int(point[1]), height - 1), min(int(point[0]), width - 1)
    return segmentation_target(opened.model, opened.classes, image, samples[0].metainfo, pixel)
