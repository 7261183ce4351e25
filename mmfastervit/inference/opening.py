"""Opening a trained model: its config, its weights, and the names of what it tells apart."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import BaseModel
from torch import nn

from mmfastervit.checkpoint.reading import read_source
from mmfastervit.checkpoint.whole import dataset_meta, learned_classes, load_whole
from mmfastervit.config.building import build_model
from mmfastervit.config.datasets import named_in
from mmfastervit.config.finding import find_config, reading_told
from mmfastervit.logs import warnings_only
from mmfastervit.models import deploy as deployed
from mmfastervit.models.channels import channels_in
from mmfastervit.palettes import Colour, palette_for
from mmfastervit.runtimes import (
    FILE_RUNTIME,
    FileModel,
    check_precision,
    put_in_place,
    require_runtime,
)
from mmfastervit.runtimes.bfloat16 import compute_in_bfloat16

from .names import check_heads
from .published import described_in


@dataclass(frozen=True)
class OpenedModel:
    """A model that is ready to predict.

    Attributes:
        model: In eval mode, on its device; or a :class:`FileModel` in its place.
        cfg: Its config; of a published file, what the file describes.
        task: ``"det"`` for boxes, with or without masks, ``"seg"`` for label maps.
        classes: Names, in the order of their labels.
        palette: A colour (red, green, blue) for each class.
        name: What to call it: the stem of the config's or the published file's name.
    """

    model: BaseModel
    cfg: Config
    task: str
    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    name: str

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        if isinstance(self.model, FileModel):
            return torch.device("cpu")
        return next(self.model.parameters()).device

    @property
    def channels(self) -> int:
        """Of the images that it takes."""
        if isinstance(self.model, FileModel):
            return self.model.stated.channels
        return channels_in(self.model)


def open_model(
    config: str | Path | Config | None,
    checkpoint: str | None,
    device: str = "cpu",
    deploy: bool = False,
    precision: str = "fp32",
) -> OpenedModel:
    """Build a model and load its weights: all that it has learned, or it is an error.

    Args:
        config: A config file, ``"mmdet::FOLDER/FILE.py"`` of an installed package, or a config that
            was read. None for a file of ``mmfastervit publish``, which describes its model; the
            description is data, and nothing of it is run.
        checkpoint: A path, a URL or a name of a zoo; None for random weights.
        device: As torch names it: ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
        deploy: Fold the normalisation and scales of FasterViT into its other weights.
        precision: ``"fp32"``, or ``"bf16"`` as far as :func:`compute_in_bfloat16` goes.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: The config can't be read or built, or is of neither a detector nor a segmentor;
            the checkpoint does not fit; there are no names of classes, or not as many as the head
            has classes; there is no such device or precision; or nothing can be deployed.
    """
    check_precision(precision)
    place = find_device(device)
    cfg, name = _config_of(config, checkpoint)
    model = build_model(cfg, loads_weights=False)
    task = _task_of(model, cfg)
    content: Mapping[str, Any] = {}
    if checkpoint is None:
        with warnings_only():
            model.init_weights()
    else:
        content, _ = load_whole(model, checkpoint)
    classes, palette = _names(cfg, content, checkpoint)
    check_heads(model, classes, checkpoint or name)
    model.to(place).eval()
    if deploy:
        deployed(model)
    if precision == "bf16":
        compute_in_bfloat16(model)
    return OpenedModel(model, cfg, task, classes, palette_for(classes, palette), name)


def open_file(
    config: str | Path | Config | None,
    file: str | Path,
    runtime: str = FILE_RUNTIME,
    precision: str = "fp32",
    checkpoint: str | None = None,
) -> OpenedModel:
    """Open a file of ``mmfastervit export --part model`` in the place of its model.

    Args:
        config: As of :func:`open_model`, that which the file was exported with: it says how
            pictures are prepared.
        file: The file.
        runtime: ``"onnxruntime"`` or ``"openvino"``.
        precision: ``"fp32"``, or ``"bf16"`` where runtime and processor have it.
        checkpoint: Not needed, as the file has the weights; where it is given, its names of classes
            must be the file's, and one of ``mmfastervit publish`` stands for a config.

    Raises:
        FileNotFoundError: There is no such file, config or checkpoint.
        ValueError: The runtime is not there or lacks the precision; the file does not say what it
            is, or is of another model or of other classes than the config.
    """
    require_runtime(runtime, precision)
    cfg, name = _config_of(config, checkpoint)
    running = Config(cfg.to_dict())
    stated = put_in_place(running, Path(file), runtime, precision)
    if stated.task == "panoptic":
        raise ValueError(f"{file} gives panoptic maps alone; predictions are of objects or classes")
    content: Mapping[str, Any] = {} if checkpoint is None else read_source(checkpoint)
    stated.check_classes(learned_classes(content), Path(file), str(checkpoint))
    if stated.classes and not learned_classes(content):
        content = dict(meta=dict(dataset_meta=dict(classes=stated.classes)))
    classes, palette = _names(cfg, content, str(file))
    model = build_model(running).eval()
    return OpenedModel(model, cfg, stated.task, classes, palette_for(classes, palette), name)


def default_device() -> str:
    """The device that is taken where none is named: a GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def find_device(name: str) -> torch.device:
    """The device of this name, which is there.

    Raises:
        ValueError: Torch knows no such device, or finds none here.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except Exception as error:  # each kind of device fails in its own way
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"device {name!r} can't be used here ({first}); cpu can, and cuda where there is a GPU"
        ) from error
    if device.type == "meta":
        raise ValueError("device 'meta' holds no values; name one that computes, as cpu or cuda")
    return device


def _config_of(config: str | Path | Config | None, checkpoint: str | None) -> tuple[Config, str]:
    """The config, and what to call the model."""
    if config is None:
        if checkpoint is None:
            raise ValueError("a model is opened by its config, or by a file of mmfastervit publish")
        cfg = described_in(read_source(checkpoint), checkpoint)
        return cfg, Path(checkpoint).stem
    if isinstance(config, Config):
        cfg = config
    else:
        path = find_config(str(config))
        with reading_told(config):
            cfg = Config.fromfile(path)
    if not isinstance(cfg.get("model"), dict):
        raise ValueError("this config has no model: it is a part for others to build on")
    return cfg, Path(cfg.filename or "model").stem


def _task_of(model: nn.Module, cfg: Config) -> str:
    """What a model predicts.

    Raises:
        ValueError: Neither boxes by images alone nor label maps.
    """
    kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(model).__mro__}
    name = type(model).__name__
    if "mmseg.models.segmentors.base.BaseSegmentor" in kinds:
        return "seg"
    if "mmdet.models.detectors.base.BaseDetector" not in kinds:
        raise ValueError(
            f"the config's model is a {name}: pictures are predicted on by detectors of mmdet and "
            "segmentors of mmseg"
        )
    if "language_model" in cfg.model:
        raise ValueError(
            f"a {name} is told by a text what to find; use DetInferencer of mmdet, which takes one"
        )
    test_cfg = cfg.model.get("test_cfg") or {}
    if test_cfg.get("panoptic_on") and not test_cfg.get("instance_on"):
        raise ValueError(
            f"this {name} is set to panoptic maps; for its objects with masks: --cfg-options "
            "model.test_cfg.panoptic_on=False model.test_cfg.instance_on=True"
        )
    return "det"


def _names(
    cfg: Config, content: Mapping[str, Any], checkpoint: str | None
) -> tuple[tuple[str, ...], Any]:
    """Names of the classes, and the palette that goes with them: the checkpoint's, or the config's.

    Raises:
        ValueError: Neither has names.
    """
    learned, (named, palette) = learned_classes(content), named_in(cfg)
    if learned:
        if named and named != learned:
            text = (
                f"{checkpoint} was trained on the classes {learned}: these names are used, and "
                f"not the config's {named}"
            )
            print_log(text, logger="current", level=logging.WARNING)
        own = dataset_meta(content).get("palette")
        return learned, own if own is not None else palette if named == learned else None
    if named:
        return named, palette
    where = f"neither {checkpoint} nor the config" if checkpoint else "the config does not"
    raise ValueError(
        f"{where} has names of classes; give them in the order of the labels: --cfg-options "
        '\'test_dataloader.dataset.metainfo.classes=("cat","dog")\''
    )
