"""Which hierarchical attention a network has, and what passes through it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from mmfastervit.models.layers.hat import AttentionStage, HATBlock
from mmfastervit.models.layers.windows import Windows
from mmfastervit.models.plugins import HATPlugin
from mmfastervit.models.plugins.appended import AppendedHATChannelsLast
from mmfastervit.signatures import nearest


@dataclass(frozen=True)
class HATStage:
    """Blocks that hand their carriers on to each other.

    Args:
        name: Of the stage in its model, such as 'backbone.stages.2'.
        blocks: Its blocks, in order.
        end: What puts out the stage's map or, last, its tokens.
    """

    name: str
    blocks: tuple[HATBlock, ...]
    end: nn.Module

    @property
    def has_carriers(self) -> bool:
        """Whether the windows of the stage talk to each other."""
        return self.blocks[0].carrier is not None

    @property
    def gate(self) -> float | None:
        """The largest factor by which a plug-in adds what its blocks change; None if it has none.

        At 0 the plug-in is still the identity that it starts as.
        """
        return (
            float(self.end.gate.detach().abs().max()) if isinstance(self.end, HATPlugin) else None
        )

    def features(self, output: Tensor, windows: Windows, row: int, column: int) -> Tensor:
        """The features (C,) of one pixel of the map, from what :attr:`end` puts out."""
        height, width = windows.grid.height, windows.grid.width
        if output.ndim == 3:  # (1, T, C), carriers before pixels if there are any
            return output[0, output.shape[1] - height * width + row * width + column]
        if isinstance(self.end, AppendedHATChannelsLast):  # (1, H, W, C)
            return output[0, row, column]
        return output[0, :, row, column]


def find_stages(model: nn.Module) -> list[HATStage]:
    """All attention stages of a network, with carriers and without, in its order."""
    blocks: dict[str, list[HATBlock]] = {}
    for name, module in model.named_modules():
        if isinstance(module, HATBlock):  # NAME.blocks.0, or NAME.blocks.0.hat in a host
            container = name.removesuffix(".hat").rpartition(".")[0]
            blocks.setdefault(container.removesuffix(".blocks"), []).append(module)
    return [_stage(model, name, found) for name, found in blocks.items()]


def _stage(model: nn.Module, name: str, blocks: list[HATBlock]) -> HATStage:
    owner = model.get_submodule(name)
    plugin = name.removesuffix("attention").removesuffix(".")
    if isinstance(model.get_submodule(plugin), HATPlugin):
        name, owner = plugin, model.get_submodule(plugin)
    end = owner if isinstance(owner, AttentionStage | HATPlugin) else blocks[-1]
    return HATStage(name, tuple(blocks), end)


def choose_stage(model: nn.Module, wanted: str | None = None) -> HATStage:
    """The stage to explain: the one that is named, or the first one with carriers.

    Args:
        model: A network.
        wanted: The stage's name, or the end of it after a dot: 'stages.2' or '2'.

    Raises:
        ValueError: The network has no carriers, or not in the stage that is wanted.
    """
    found = find_stages(model)
    named = [stage for stage in found if stage.has_carriers]
    if not named:
        what = type(getattr(model, "backbone", model)).__name__
        without = ", ".join(stage.name for stage in found)
        raise ValueError(
            f"there is no hierarchical attention in this model: its {what} has "
            + (f"window attention without carriers ({without})" if found else "no HAT block")
            + ". `mmfastervit swap` puts FasterViT into a config, mmfastervit.HATBackbone puts HAT "
            "into its backbone (docs/hat.md)"
        )
    if wanted is None:
        return named[0]
    for stage in named:
        if f".{stage.name}".endswith(f".{wanted}"):
            return stage
    names = [stage.name for stage in named]
    silent = [s.name for s in found if not s.has_carriers and f".{s.name}".endswith(f".{wanted}")]
    why = f"{silent[0]} has no carriers" if silent else f"no stage {wanted!r} has carriers"
    raise ValueError(f"--stage: {why}{nearest(wanted, names)}; those with: {', '.join(names)}")


class _Reached(Exception):
    """Ends a pass behind the stage that is looked at."""


@dataclass
class Passage:
    """What an image was to a stage: the arguments of its blocks, and what came out.

    Args:
        inputs: Tokens and windows that each block was called with.
        output: What the stage's :attr:`~HATStage.end` put out.
    """

    inputs: list[tuple[Tensor, Windows]]
    output: Any = None

    @property
    def windows(self) -> Windows:
        """Where the tokens of the image stood."""
        return self.inputs[0][1]


def run_to(stage: HATStage, run: Callable[[Tensor], Any], image: Tensor) -> Passage:
    """Run a network on an image until a stage has done its work.

    Args:
        stage: A stage of the network.
        run: The network, or what calls it.
        image: (1, channels, height, width), as the network takes it.

    Raises:
        RuntimeError: The network ended without having run the stage.
    """
    passage = Passage([])
    with _watched(stage, passage):
        try:
            run(image)
        except _Reached:
            return passage
    raise RuntimeError(f"{stage.name} was not run by the network that has it")


@contextmanager
def _watched(stage: HATStage, passage: Passage) -> Iterator[None]:
    """Note what goes in and out of a stage; its end raises :class:`_Reached`."""

    def entered(block: nn.Module, inputs: tuple) -> None:
        passage.inputs.append(inputs)

    def ended(end: nn.Module, inputs: tuple, output: Any) -> None:
        passage.output = output
        raise _Reached

    handles = [block.register_forward_pre_hook(entered) for block in stage.blocks]
    handles.append(stage.end.register_forward_hook(ended))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
