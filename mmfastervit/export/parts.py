"""Files of a backbone, or of a backbone with its neck, checked by what runs them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmfastervit.checkpoint.content import unwrap
from mmfastervit.checkpoint.fitting import fit, weights_of
from mmfastervit.checkpoint.loading import load_backbone
from mmfastervit.checkpoint.reading import read_source
from mmfastervit.config.building import build_model
from mmfastervit.logs import warnings_only
from mmfastervit.models import FasterViT
from mmfastervit.models.channels import channels_in
from mmfastervit.runtimes import largest_difference

from .asking import fitted
from .formats import Run, format_of, require_quantisable
from .preparing import Preparation
from .quantising import Calibration, quantise_checked
from .writing import beside

PARTS = ("backbone", "neck")
# Images and their height and width. Both sides of those to trace with have padded windows and
# several of them in every stage.
TRACED: Sequence[int] = (2, 250, 330)
UNSEEN: Sequence[Sequence[int]] = ((1, 224, 224), (2, 96, 417), (3, 353, 129))
TOLERANCE = 1e-3
ANY_SIZE = {0: "batch", 2: "height", 3: "width"}


class Difference(NamedTuple):
    """How far what runs a file and torch are apart on images of one shape."""

    shape: tuple[int, ...]
    largest: float  # over the largest value of each output; NaN where a value is not a number


class MapsOf(nn.Module):
    """Images to the maps of a backbone, and of the neck on top of it if given."""

    def __init__(self, backbone: nn.Module, neck: nn.Module | None = None):
        super().__init__()
        self.backbone = backbone
        self.neck = neck

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        maps = self.backbone(images)
        return tuple(maps if self.neck is None else self.neck(maps))


def build_part(cfg: Config, part: str, checkpoint: str | None = None) -> nn.Module:
    """Build a backbone, or a backbone and its neck, of a config's model, in eval mode.

    Args:
        cfg: Config of a detector or segmentor.
        part: 'backbone' or 'neck' (backbone and neck of a detector).
        checkpoint: File, URL or ``mmfastervit://NAME``, see :func:`load_part`; None for the weights
            of ``init_cfg`` as in the first training step.

    Returns:
        A module from images (B, C, H, W) to a tuple of tensors.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        ValueError: The config has no model, or one that cannot be built; the model has no such
            part; or the checkpoint lacks weights of it.
    """
    if part not in PARTS:
        raise ValueError(f"part must be one of {PARTS}, not {part!r}")
    model = build_model(cfg)
    if part == "neck" and getattr(model, "neck", None) is None:
        raise ValueError(f"this {type(model).__name__} has no neck; take --part backbone")
    maps = MapsOf(model.backbone, model.neck if part == "neck" else None)
    if checkpoint is None:
        with warnings_only():
            model.init_weights()
    else:
        load_part(maps, part, checkpoint)
    return maps.eval()


def load_part(exported: nn.Module, part: str, checkpoint: str) -> None:
    """Load what is exported of a model from a checkpoint; what else the file has does not matter.

    Where it is a URL, every process of a distributed run must call this: see ``resolve_source``.

    Args:
        exported: The part, whose weights are named as in the whole model.
        part: One of ``PARTS``. For 'backbone' the file may also be of a backbone alone, a published
            FasterViT among them, as ``init_cfg`` takes it.
        checkpoint: File, URL or ``mmfastervit://NAME``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is unreadable, or weights are missing or of another shape.
    """
    entries = unwrap(read_source(checkpoint))
    weights = weights_of(entries, checkpoint)
    if part == "backbone" and not any(name.startswith("backbone.") for name in weights):
        exported = exported.get_submodule("backbone")
        if isinstance(exported, FasterViT):
            load_backbone(exported, checkpoint)
            return
    found = fit(exported, entries, checkpoint, called=f"--part {part}")
    if not found.is_whole:
        raise found.refusal()


def export_part(
    module: nn.Module,
    out: Path,
    traced: Sequence[int] = TRACED,
    unseen: Sequence[Sequence[int]] = UNSEEN,
    report: Callable[[Difference], None] = lambda difference: None,
    calibration: tuple[Calibration, Preparation, tuple[int, int]] | None = None,
) -> float:
    """Write a file once what runs it has shown that it computes what the module does.

    Args:
        module: From images (B, C, H, W) to a tuple of tensors, in eval mode.
        out: File to write, replaced if it is there; untouched when the check fails. It is compiled
            if its name ends in .pt2, else ONNX.
        traced: How many images to trace with, their height and width.
        unseen: Further such numbers that the file is checked with. With none it is for ``traced``
            only, else for any batch, height and width.
        report: Called with each difference found.
        calibration: Pictures by which the file is quantised to int8 once it has passed as it is,
            and compared again, how they become images (:func:`preparation_of`), and the height and
            width that they are scaled to, which the file then takes alone; None leaves it in float.

    Returns:
        The largest difference, relative to the largest value of an output, of the float file.

    Raises:
        ValueError: An ONNX package is missing, or a compiler; or the file can't be quantised.
        ArithmeticError: A difference exceeds ``TOLERANCE`` or is not a number, or shapes differ, or
            in int8 nothing is left.
    """
    kind = format_of(out)
    kind.require()
    if calibration is not None:
        require_quantisable(out)
    with beside(out) as path:
        channels = channels_in(module)
        shape, *others = ((batch, channels, *size) for batch, *size in (traced, *unseen))
        kind.trace(module, torch.randn(*shape), ANY_SIZE if unseen else {}).save(str(path))
        run = kind.open(path)
        differences = [compare(module, run, kind.runtime, each) for each in (shape, *others)]
        for difference in differences:
            report(difference)
        largest = float(np.max([difference.largest for difference in differences]))
        if not all(difference.largest <= TOLERANCE for difference in differences):
            raise ArithmeticError(
                f"{kind.runtime} differs from torch by {largest:.1e} of the largest value, more "
                f"than {TOLERANCE:.0e}: {out} is not written"
            )
        if calibration is not None:
            pictures, preparation, size = calibration
            quantise_checked(path, pictures, lambda picture: _images(preparation, picture, size))
    return largest


def preparation_of(cfg: Config) -> Preparation:
    """How pictures become the images that a part takes, as the config's model does it.

    Raises:
        ValueError: The config has no model, or one that can't be built; or, as ``Refused``, its
            preprocessor is of a kind that is not known.
    """
    return Preparation(build_model(cfg).data_preprocessor, takes_uint8=False)


def _images(preparation: Preparation, picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture (H, W, C), red first, as a batch of one image of a size, scaled and normalised.

    Raises:
        ValueError: The model's preprocessor would pad images of this size.
    """
    images = preparation.normalised(torch.from_numpy(fitted(picture, size)[None]))
    padded = preparation.padded(images, *size)
    if padded.shape != images.shape:
        height, width = padded.shape[2:]
        raise ValueError(
            f"an int8 file takes one size, and the model's preprocessor pads {size[0]}x{size[1]} "
            f"(height x width) to {height}x{width}: give --size {height} {width}"
        )
    return images.numpy()


@torch.no_grad()
def compare(module: nn.Module, run: Run, runtime: str, shape: Sequence[int]) -> Difference:
    """Run a module and its file on the same random images.

    Args:
        module: The module.
        run: The file, from an array of images to arrays by name.
        runtime: What runs it.
        shape: Of the images.

    Raises:
        ArithmeticError: Their outputs are not of the same shapes.
    """
    images = torch.randn(*shape)
    actual = list(run(images.numpy()).values())
    expected = [output.numpy() for output in module(images)]
    shapes = [[output.shape for output in outputs] for outputs in (actual, expected)]
    if shapes[0] != shapes[1]:
        raise ArithmeticError(
            f"outputs by {runtime} are of shapes {shapes[0]}, torch's of {shapes[1]}, for images "
            f"of {tuple(shape)}: the file is not written"
        )
    return Difference(tuple(shape), largest_difference(actual, expected))
