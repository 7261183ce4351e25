"""Grad-CAM: where a network found what it says of a point, by the library ``grad-cam``.

Selvaraju et al., Grad-CAM, ICCV 2017. Of the maps that the backbone hands on, of the pixels that
the HAT stage puts out, and of its carriers as the pixels of the last block hear them.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmfastervit.models.layers.windows import Windows

from .stages import HATStage

CONFIDENT = 0.3  # score from which on a detection is taken for one


@dataclass(frozen=True)
class View:
    """Grad-CAM of one layer.

    Args:
        title: What the layer is, in few words.
        note: More of it.
        heat: (height, width) of the image on the picture, from 0 to 1; None where nothing of the
            target comes from this layer.
    """

    title: str
    note: str
    heat: NDArray | None


@dataclass(frozen=True)
class Cam:
    """Grad-CAM of several layers.

    Args:
        target: What their gradients are of, in words.
        views: One a layer.
    """

    target: str
    views: tuple[View, ...]


@dataclass(frozen=True)
class Target:
    """A number that a network computes of an image.

    Args:
        words: What it is.
        score: Computes it, a tensor without axes, of (1, channels, height, width).
    """

    words: str
    score: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Layer:
    """A module whose output Grad-CAM looks at.

    Args:
        title: What it is, in few words.
        note: More of it.
        module: The module.
        to_map: Makes a map (1, C, H, W) of what it puts out.
    """

    title: str
    note: str
    module: nn.Module
    to_map: Callable[[Tensor], Tensor]


def measure_cam(
    model: nn.Module,
    image: Tensor,
    target: Target,
    stage: HATStage,
    windows: Windows,
    shape: tuple[int, int],
) -> Cam:
    """Measure Grad-CAM of every map of the backbone and of a stage's tokens.

    Args:
        model: A network with a ``backbone``, in eval mode; its gradients are cleared.
        image: (1, channels, height, width) as it takes it.
        target: What to explain.
        stage: A stage with carriers.
        windows: Where the tokens of the image stand in it.
        shape: Height and width of the image without what was added at the bottom and at the right.

    Raises:
        ValueError: No gradient reaches the backbone from the target.
    """
    with _tapped(model, image) as taps:
        layers = [*_token_layers(stage, windows), *taps]
        reached = _reached(target, image, layers)
        views = [
            View(
                layer.title,
                layer.note,
                _grad_cam(model, image, target, layer, shape) if seen else None,
            )
            for layer, seen in zip(layers, reached, strict=True)
        ]
    model.zero_grad(set_to_none=True)
    tokens, maps = views[:2], views[2:]
    return Cam(target.words, (*maps, *tokens))


@contextmanager
def _tapped(model: nn.Module, image: Tensor) -> Iterator[list[Layer]]:
    """Let the maps that a backbone hands on pass through modules of their own."""
    backbone: Any = getattr(model, "backbone", model)
    with torch.no_grad():
        shapes = [tuple(output.shape) for output in backbone(image)]
    taps = [nn.Identity() for _ in shapes]

    def pass_on(module: nn.Module, inputs: tuple, outputs: Any) -> tuple:
        return tuple(tap(output) for tap, output in zip(taps, outputs, strict=True))

    handle = backbone.register_forward_hook(pass_on)
    try:
        yield [
            Layer(f"map {i + 1} of the backbone", f"{shape[3]} x {shape[2]} pixels", tap, _same)
            for i, (tap, shape) in enumerate(zip(taps, shapes, strict=True))
        ]
    finally:
        handle.remove()


def _same(x: Tensor) -> Tensor:
    return x


def _token_layers(stage: HATStage, windows: Windows) -> list[Layer]:
    """The pixels that a stage's last block puts out, and the carriers that they hear in it."""
    grid = windows.grid
    size = grid.height, grid.width
    nh, nw = grid.carrier_shape

    def pixels(tokens: Tensor) -> Tensor:
        return tokens[:, grid.num_carriers :].transpose(1, 2).unflatten(2, size)

    def carriers(tokens: Tensor) -> Tensor:
        if windows.nearest is None:
            raise ValueError("these windows have no carriers")
        nearest = windows.nearest.to(tokens.device)
        return tokens.index_select(1, nearest).transpose(1, 2).unflatten(2, size)

    last: Any = stage.blocks[-1]
    return [
        Layer("pixels of the HAT stage", f"{size[1]} x {size[0]}", last, pixels),
        Layer("carriers of its last block", f"{nw} x {nh}", last.carrier, carriers),
    ]


def _reached(target: Target, image: Tensor, layers: list[Layer]) -> list[bool]:
    """Which layers the target depends on."""
    outputs: dict[int, Tensor] = {}

    def keep(index: int) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            outputs[index] = output

        return hook

    handles = [layer.module.register_forward_hook(keep(i)) for i, layer in enumerate(layers)]
    try:
        with torch.enable_grad():
            score = target.score(image.detach().requires_grad_())
            if not score.requires_grad:
                raise ValueError(
                    f"Grad-CAM needs the gradient of {target.words}, and this model computes it "
                    "without one: leave --cam out"
                )
            found = torch.autograd.grad(score, list(outputs.values()), allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
    by_layer = dict(zip(outputs, found, strict=True))
    return [by_layer.get(i) is not None for i in range(len(layers))]


class _Scored(nn.Module):
    """A network as ``grad-cam`` takes one: from an image to a batch of one score."""

    def __init__(self, model: nn.Module, target: Target):
        super().__init__()
        self.model = model
        self.target = target

    def forward(self, image: Tensor) -> list[Tensor]:
        return [self.target.score(image)]


def _grad_cam(
    model: nn.Module, image: Tensor, target: Target, layer: Layer, shape: tuple[int, int]
) -> NDArray:
    grad_cam = load_library()
    scored = _Scored(model, target).eval()
    with grad_cam(scored, [layer.module], reshape_transform=layer.to_map) as library:
        heat = library(image.detach().requires_grad_(), targets=[lambda score: score])[0]
    return heat[: shape[0], : shape[1]]


def load_library() -> Any:
    """The class of the library ``grad-cam``.

    Raises:
        ValueError: It is not installed.
    """
    try:
        from pytorch_grad_cam import GradCAM
    except ImportError as error:
        raise ValueError(
            f"Grad-CAM needs the library grad-cam: pip install 'mmfastervit[explain]' ({error})"
        ) from error
    return GradCAM


def segmentation_target(
    model: Any, classes: Sequence[str], image: Tensor, metainfo: dict, pixel: tuple[int, int]
) -> Target:
    """How sure a segmentor is of the class at a pixel, over all pixels that it gives that class.

    Args:
        model: The segmentor.
        classes: Their names.
        image: (1, channels, height, width).
        metainfo: Of the image.
        pixel: (row, column) of the image.
    """

    def logits(images: Tensor) -> Tensor:
        found = model.encode_decode(images, [metainfo])[0]
        return torch.cat((-found, found)) if len(found) == 1 else found

    with torch.no_grad():
        labels = logits(image).argmax(0)
    label = int(labels[pixel])
    mask = labels == label
    return Target(
        f"the logit of {classes[label]!r}, the class that the point is given, averaged over the "
        f"{100 * float(mask.float().mean()):.0f} % of the image that get it",
        lambda images: logits(images)[label][mask].mean(),
    )


def detection_target(
    model: Any, classes: Sequence[str], image: Tensor, samples: list, point: tuple[float, float]
) -> Target:
    """The score of the detection at a point, or of the nearest.

    Args:
        model: The detector.
        classes: Names of its classes.
        image: (1, channels, height, width).
        samples: The image's data sample in a list.
        point: (x, y) on the image.

    Raises:
        ValueError: It detects nothing in the image.
    """

    def instances(images: Tensor) -> Any:
        with _scores_with_gradients():
            return model.predict(images, samples, rescale=False)[0].pred_instances

    with torch.no_grad():
        found = instances(image)
    if not len(found):
        raise ValueError(
            "Grad-CAM explains a detection, and this model found none in the picture: leave --cam "
            "out"
        )
    boxes = getattr(found.bboxes, "tensor", found.bboxes)
    chosen, inside = nearest_detection(boxes, found.scores, point)
    score = float(found.scores[chosen])
    place = "on which the point lies" if inside else "whose centre is nearest to the point"
    unsure = "" if score >= CONFIDENT else f", none being above {CONFIDENT}"
    return Target(
        f"the score of the detection {classes[int(found.labels[chosen])]!r} ({score:.2f}) "
        f"{place}{unsure}",
        lambda images: instances(images).scores[chosen],
    )


@contextmanager
def _scores_with_gradients() -> Iterator[None]:
    """Let mmdet's dense heads keep the gradients of their scores, which they cut to predict."""
    from mmdet.models.utils import select_single_mlvl as select  # only where there is a detector

    def keeping(tensors: Sequence[Tensor], batch_id: int, detach: bool = True) -> list[Tensor]:
        return select(tensors, batch_id, detach=False)

    holders = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("mmdet.") and vars(module).get("select_single_mlvl") is select
    ]
    with ExitStack() as stack:
        for module in holders:
            stack.callback(setattr, module, "select_single_mlvl", select)
            vars(module)["select_single_mlvl"] = keeping
        yield


def nearest_detection(
    boxes: Tensor, scores: Tensor, point: tuple[float, float]
) -> tuple[int, bool]:
    """The detection that a point means, and whether the point lies on it.

    Of the confident ones, if there is any, that with the highest score on which the point lies, or
    that whose centre is nearest; of all others if none is confident.

    Args:
        boxes: (N, 4), two corners.
        scores: (N,).
        point: (x, y).
    """
    position = boxes.new_tensor(point)
    confident = scores >= CONFIDENT
    candidates = confident if confident.any() else torch.ones_like(confident)
    inside = ((boxes[:, :2] <= position) & (position <= boxes[:, 2:])).all(1) & candidates
    if inside.any():
        return int(scores.masked_fill(~inside, -torch.inf).argmax()), True
    distance = ((boxes[:, :2] + boxes[:, 2:]) / 2 - position).norm(dim=1)
    return int(distance.masked_fill(~candidates, torch.inf).argmin()), False
