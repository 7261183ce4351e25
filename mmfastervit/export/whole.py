"""Whole models as files: pictures in, results out, checked against the model's own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmfastervit.checkpoint.content import unwrap
from mmfastervit.checkpoint.fitting import fit
from mmfastervit.checkpoint.reading import read_source
from mmfastervit.checkpoint.whole import learned_classes
from mmfastervit.config.building import build_model
from mmfastervit.config.datasets import named_in
from mmfastervit.config.tree import type_name, walk
from mmfastervit.explaining import cause_of
from mmfastervit.logs import warnings_only
from mmfastervit.models import deploy
from mmfastervit.models.channels import channels_in
from mmfastervit.models.deployment import Foldable
from mmfastervit.runtimes import Stated, described

from . import families  # noqa: F401  # it registers what it knows
from .adapters import Adapter, Refused, adapter_for
from .asking import fitted
from .detections import Results
from .formats import Format, Program, format_of, require_quantisable
from .preparing import Preparation
from .proof import Checked, array_of, check
from .quantising import FIXED, Calibration, quantise_checked
from .writing import beside

_ASKED = "one size was asked for"
_LAYOUTS = {True: (1, 2), False: (2, 3)}  # where height and width stand: of uint8 and float images
_TRACED_BATCH = 2
# More than four pixels on a map of stride 128 in either direction, and padding at every level
_TRACED_SIZE = (523, 653)


class WholeModel(nn.Module):
    """Pictures to results.

    Args:
        model: In eval mode.
        adapter: Of its family.
        takes_uint8: See :class:`Preparation`.

    Attributes:
        classes: Names of its classes, where they are known.
        described: Its config and its ``test_cfg``, as a file says them.

    Raises:
        Refused: An option of the model that an exported file would not follow.
    """

    def __init__(self, model: nn.Module, adapter: Adapter, takes_uint8: bool):
        super().__init__()
        self.classes: tuple[str, ...] = ()
        self.described: tuple[dict[str, Any], dict[str, Any] | None] = ({}, None)
        self.adapter = adapter
        self.channels = channels_in(model)
        self.preparation = Preparation(model.data_preprocessor, takes_uint8)
        self.results: Any = adapter.wrap(model)
        self.model = model

    def forward(self, pictures: Tensor) -> Results:
        """Pictures, as :class:`Preparation` takes them, to the results of the adapter."""
        return self.results(*self.preparation(pictures))

    def example(self, batch: int, size: tuple[int, int]) -> Tensor:
        """Random pictures to trace with."""
        if self.preparation.takes_uint8:
            return torch.randint(0, 256, (batch, *size, self.channels), dtype=torch.uint8)
        return torch.randn(batch, self.channels, *size)


@dataclass(frozen=True)
class Written:
    """What was written, and how it was checked.

    Attributes:
        sizes: What the file takes: 'any batch, height and width', or what is fixed.
        reason: Why something is fixed, '' where nothing is.
        checks: One for each batch that was compared.
    """

    sizes: str
    reason: str
    checks: tuple[Checked, ...]


def build_whole(
    cfg: Config,
    checkpoint: str | None = None,
    takes_uint8: bool = False,
    gives_logits: bool = False,
) -> WholeModel:
    """Build the model of a config to export it whole, folded for deployment where it is ours.

    Args:
        cfg: Config of a detector or a segmentor.
        checkpoint: File, URL or ``mmfastervit://NAME``; None for the weights of ``init_cfg``.
        takes_uint8: Whether the file prepares pictures itself.
        gives_logits: Whether a segmentor gives logits instead of class maps.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        ValueError: The config has no model, or one that cannot be built; the checkpoint lacks
            weights of it; or, as :class:`Refused`, it cannot be exported.
    """
    model = build_model(cfg)
    adapter = adapter_for(model)
    if takes_uint8:
        _check_pipeline(cfg)
    if getattr(model, "auxiliary_head", None) is not None:
        model.auxiliary_head = None  # it serves training only
    content: Mapping[str, Any] = {}
    if checkpoint is None:
        with warnings_only():
            model.init_weights()
    else:
        content = read_source(checkpoint)
        found = fit(model, unwrap(content), checkpoint, called="--part model")
        if not found.is_whole:
            raise found.refusal()
    model.eval()
    if any(isinstance(layer, Foldable) for layer in model.modules()):
        deploy(model)
    whole = WholeModel(model, adapter, takes_uint8)
    whole.classes = learned_classes(content) or named_in(cfg)[0]
    whole.described = described(cfg)
    if gives_logits:
        if not hasattr(whole.results, "gives_logits"):
            raise Refused(f"logits are given by encoder-decoder segmentors, not by {adapter.name}")
        whole.results.gives_logits = True
    return whole


def _check_pipeline(cfg: Config) -> None:
    """Raise Refused where the test pipeline prepares pictures in a way the file would not."""
    for _, step in walk(cfg.get("test_dataloader")):
        if isinstance(step, dict) and type_name(step.get("type", "")) == "Normalize":
            raise Refused(
                "the test pipeline normalises pictures by a step Normalize, which the file would "
                "leave out; say mean and std in model.data_preprocessor instead, or export "
                "without --uint8"
            )


def export_whole(
    whole: WholeModel,
    out: Path,
    size: tuple[int, int],
    pictures: Sequence[np.ndarray],
    report: Callable[[Checked], None] = lambda checked: None,
    any_size: bool = True,
    calibration: Calibration | None = None,
) -> Written:
    """Write a file once what runs it has found what the model itself predicts.

    Args:
        whole: The model.
        out: File to write, replaced if it is there; untouched when the check fails. It is compiled
            if its name ends in .pt2, else ONNX.
        size: Height and width of the pictures that it is checked on, and of those that it takes
            where it can't take any.
        pictures: uint8 (H, W, C), red first, of any sizes: to check on. Three or more differ in
            each batch.
        report: Called with each check that has been passed.
        any_size: Whether to trace for any height and width if that can be, which takes several
            times as long as for one size.
        calibration: Pictures by which the file is quantised to int8 once it has passed as it is,
            and compared again; None leaves it in float. A quantised file takes the size alone, one
            picture at a time: pictures are padded to it where the model pads and they fit, else
            scaled.

    Raises:
        ValueError: An ONNX package is missing, or a compiler; the model cannot be traced; or the
            file can't be quantised.
        ArithmeticError: The file finds something else than the model, or in int8 nothing of it.
    """
    kind = format_of(out)
    kind.require()
    if calibration is not None:
        require_quantisable(out)
    program, axes, reason = _traced(whole, kind, size, any_size and calibration is None)
    any_size, any_batch = len(axes) > 1, bool(axes)
    sizes = [size, _other(size)] if any_size else [size]
    checks = []
    with beside(out) as path:
        if kind.state is not None:
            stated = _stated(whole, program, None if any_size else size, any_batch)
            kind.state(program, stated.to_metadata())
        program.save(str(path))
        session = kind.open(path)
        for place, one in enumerate(sizes):
            for batch in (1, 2) if any_batch else (1,):
                chosen = [pictures[(place + batch + i) % len(pictures)] for i in range(batch)]
                checks.append(check(whole, session, [fitted(each, one) for each in chosen]))
                report(checks[-1])
        found = sum(checked.compared for checked in checks)
        if not found:
            raise ArithmeticError(
                "the model finds nothing on the pictures that it was checked on, so that nothing "
                "could be compared: name a folder with pictures of its kind by --check-on; "
                f"{out} is not written"
            )
        if calibration is not None:
            quantise_checked(path, calibration, lambda picture: taken(whole, picture, size))
            any_batch, reason = False, FIXED if reason == _ASKED else f"{reason}; {FIXED}"
    told = "any batch, height and width"
    if not any_size:
        told = f"{'any batch' if any_batch else 'a batch of 1'}, {size[0]}x{size[1]} pixels"
    return Written(told, reason, tuple(checks))


def taken(whole: WholeModel, picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture as a batch of one of a size: padded where the model pads and it fits, or scaled."""
    fill = whole.preparation.fill(whole.channels) if whole.adapter.pads else None
    height, width = picture.shape[:2]
    if fill is None or height > size[0] or width > size[1]:
        return array_of(whole, [fitted(picture, size)])
    batch = array_of(whole, [picture])
    if whole.preparation.takes_uint8:
        placed = np.tile(np.array(fill, batch.dtype), (1, *size, 1))
        placed[:, :height, :width] = batch
    else:
        placed = np.tile(np.array(fill, batch.dtype)[:, None, None], (1, 1, *size))
        placed[..., :height, :width] = batch
    return placed


def _stated(
    whole: WholeModel,
    program: Any,
    size: tuple[int, int] | None,
    any_batch: bool,
) -> Stated:
    """What a program's file is to say of itself."""
    shapes = {value.name: value.shape for value in program.model.graph.outputs}
    task = "det" if "boxes" in shapes else "panoptic" if "segments" in shapes else "seg"
    model, test_cfg = whole.described
    boxes = shapes.get("boxes")
    return Stated(
        task=task,
        classes=whole.classes,
        takes_uint8=whole.preparation.takes_uint8,
        channels=whole.channels,
        size=size,
        any_batch=any_batch,
        fill=whole.preparation.fill(whole.channels) if whole.adapter.pads else None,
        gives=tuple(str(name) for name in shapes),
        max_detections=None if boxes is None else int(boxes[1]),  # fixed
        threshold=getattr(whole.results, "mask_threshold", None),
        align_corners=getattr(whole.results, "align_corners", False),
        model=model,
        test_cfg=test_cfg,
    )


def _other(size: tuple[int, int]) -> tuple[int, int]:
    """A size of another shape, which is no multiple of anything that images are padded to."""
    height, width = size
    return max(height * 3 // 4, 33) | 1, (width * 5 // 4) | 1


def _traced(
    whole: WholeModel, kind: Format, size: tuple[int, int], any_size: bool
) -> tuple[Program, Mapping[int, str], str]:
    """A program for as many sizes as can be, the axes that are of any size, and why not more."""
    height, width = _LAYOUTS[whole.preparation.takes_uint8]
    tries: list[tuple[Mapping[int, str], tuple[int, int], str]] = [
        ({0: "batch"}, size, "any batch")
    ]
    reason = ""
    if not any_size:
        reason = _ASKED
    elif not whole.adapter.is_dynamic:
        reason = f"{whole.adapter.name} are traced for one size"
    else:
        every = {0: "batch", height: "height", width: "width"}
        tries.insert(0, (every, _TRACED_SIZE, "any size"))
    for axes, traced, what in tries:
        try:
            return kind.trace(whole, whole.example(_TRACED_BATCH, traced), axes), axes, reason
        except Refused:
            raise
        except Exception as error:  # of torch's exporter, in whatever a model of a zoo does
            reason = f"it can't be traced for {what} ({cause_of(error)})"
    try:
        return kind.trace(whole, whole.example(1, size), {}), {}, reason
    except Exception as error:  # of the exporter, as above
        raise ValueError(f"the model can't be traced: {cause_of(error)}") from error
