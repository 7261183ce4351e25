"""What a file of ``mmfastervit export --part model`` says of itself, and whether a config agrees.

It stands in the ONNX file's metadata, a key for each field of :class:`Stated`, as JSON; whoever
runs the file without this package can read the names of its classes there.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmfastervit.config.comparing import differences
from mmfastervit.config.datasets import named_in
from mmfastervit.config.tree import dotted, plain, rebuild, transform_names, type_name

from .metadata import NoModel, read_metadata

VERSION = "1"
FLOAT = "fp32"
_VERSION_KEY = "mmfastervit"
_PRECISION_KEY = "precision"
_SHOWN = 3  # differences in a message
# What changes how a model learns and not what it finds
_TRAINING = frozenset(
    (
        "auxiliary_head", "batch_augments", "class_weight", "drop_path_rate", "dropout_ratio",
        "frozen_stages", "init_cfg", "loss_weight", "norm_eval", "pretrained", "train_cfg",
        "with_cp",
    )
)  # fmt: skip


class OtherModel(ValueError):
    """A file that is of another model than a config describes, or of other classes."""


@dataclass(frozen=True)
class Stated:
    """What a file says of itself.

    Attributes:
        task: ``"det"`` for boxes, ``"seg"`` for class maps, ``"panoptic"`` for segments alone.
        classes: Names, in the order of their labels; none where its maker's config had none.
        takes_uint8: Whether it takes pictures uint8 (B, H, W, C), red first, and prepares them
            itself; else float32 (B, C, H, W), as the model's preprocessor normalises them.
        channels: Of a picture.
        size: Height and width of the pictures that it takes; None for any.
        any_batch: Whether it takes several pictures at once.
        fill: What a smaller picture is padded with up to ``size``, a number for each channel as the
            file takes them; None where the algorithm does not pad.
        gives: Names of its results.
        max_detections: Of a picture; None of class maps.
        threshold: From which probability on a pixel belongs to an object's mask, or to the one
            class of a segmentor that has one; None where nothing hangs on it.
        align_corners: Whether logits are scaled with the centres of the corners kept.
        model: The model of its config, as JSON has it, without ``test_cfg`` and what serves
            training alone.
        test_cfg: The same of ``model.test_cfg``: thresholds and limits.
        precision: ``"fp32"``, or ``"int8"`` of a file that was quantised and is not exact.
    """

    task: str
    classes: tuple[str, ...]
    takes_uint8: bool
    channels: int
    size: tuple[int, int] | None
    any_batch: bool
    fill: tuple[float, ...] | None
    gives: tuple[str, ...]
    max_detections: int | None
    threshold: float | None
    align_corners: bool
    model: Mapping[str, Any]
    test_cfg: Mapping[str, Any] | None
    precision: str = FLOAT

    def to_metadata(self) -> dict[str, str]:
        """As it stands in a file."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        stated = {key: json.dumps(value) for key, value in fields.items()}
        return {_VERSION_KEY: VERSION, **stated}

    @classmethod
    def read(cls, path: Path) -> "Stated":
        """What a file says.

        Raises:
            FileNotFoundError: There is no such file.
            NoModel: It is no ONNX file, or one that does not say; a ValueError.
        """
        # files that were written before there were others do not say their precision
        found = {_PRECISION_KEY: json.dumps(FLOAT), **read_metadata(path)}
        version = found.get(_VERSION_KEY)
        names = [field.name for field in dataclasses.fields(cls)]
        if version != VERSION or not set(names) <= set(found):
            why = (
                "does not say what it is"
                if version is None
                else f"says what it is in version {version!r}, and this mmfastervit reads {VERSION}"
            )
            raise NoModel(
                f"{path} {why}: write it again by `mmfastervit export CONFIG CHECKPOINT --part "
                "model`"
            )
        try:
            values = {name: json.loads(found[name]) for name in names}
        except ValueError as error:
            raise NoModel(f"{path}: what it says of itself is broken ({error})") from error
        for name in ("classes", "size", "fill", "gives"):
            if values[name] is not None:
                values[name] = tuple(values[name])
        return cls(**values)

    def check(self, cfg: Config, path: Path) -> None:
        """Look whether a config is that of the file: the same classes, model and thresholds.

        Raises:
            OtherModel: It is not; names the first places at which they differ.
        """
        self.check_classes(named_in(cfg)[0], path, "the config")
        model, test_cfg = described(cfg)
        found = [
            *differences(self.model, model, ("model",)),
            *differences(self.test_cfg, test_cfg, ("model", "test_cfg")),
        ]
        if found:
            told = [
                f"{dotted(place)} is {was!r} there and {now!r} here" for place, was, now in found
            ]
            more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
            raise OtherModel(
                f"{path} was made of another model than the config's: {'; '.join(told[:_SHOWN])}"
                f"{more}. Give the config, and --cfg-options, that it was exported with, or export "
                "it again"
            )

    def check_classes(self, named: tuple[str, ...], path: Path, whose: str) -> None:
        """Raise OtherModel if somebody has other names of classes than the file."""
        if self.classes and named and named != self.classes:
            raise OtherModel(
                f"{path} was made for the classes {', '.join(self.classes)}, and {whose} has "
                f"{', '.join(named)}: another file, or other names in that order, are needed"
            )

    def scales_coarsely(self, cfg: Config) -> str:
        """Why metrics are not quite the model's own, in a sentence; '' where they are.

        What has one value a pixel can't be scaled as finely as what it was chosen by.
        """
        loader = cfg.get("test_dataloader") or {}
        if not any("Resize" in name for name in transform_names(loader)):
            return ""
        if "classes" in self.gives:
            return (
                "class maps are brought to the pictures' own size pixel by pixel, where the model "
                "scales logits: edges may lie a pixel aside. A file of --logits gives the model's "
                "own"
            )
        if "segments" in self.gives or ("masks" in self.gives and self.threshold is None):
            return (
                "segments or masks of whole pictures are brought to the pictures' own size pixel "
                "by pixel, where the model scales scores: edges may lie a pixel aside"
            )
        return ""


def described(cfg: Config) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """A config's model as JSON has it, and its ``test_cfg``, without what serves training alone."""
    model = cfg.model.to_dict()
    if cfg.get("data_preprocessor"):  # the Runner puts it there too
        model.setdefault("data_preprocessor", cfg.data_preprocessor.to_dict())
    model = json.loads(json.dumps(rebuild(plain(model), _inferring), default=_named))
    return model, model.pop("test_cfg", None)


def _inferring(node: dict) -> dict:
    kept = {key: value for key, value in node.items() if key not in _TRAINING}
    if isinstance(kept.get("type"), (str, type)):
        kept["type"] = type_name(kept["type"])
    return kept


def _named(value: Any) -> str:
    return type_name(value) if isinstance(value, type) else repr(value)
