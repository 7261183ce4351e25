"""Putting HAT into a backbone that was built, and taking it out again.

The backbone stays the object it is: its class, its attributes and the names of its weights do not
change, so that its checkpoints, freezing and layer-wise learning rates go on working. HAT's own
weights come under the names of the stages' blocks.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from mmengine.logging import print_log
from mmengine.model import ModuleList
from torch import Tensor, nn

from mmfastervit.models.layers.attention import AttentionLayer
from mmfastervit.models.layers.hat import (
    CarrierTokenizer,
    HATBlock,
    find_windows,
    run_blocks,
    split_tokens,
)
from mmfastervit.models.layers.initialization import initialize
from mmfastervit.models.layers.positions import TableCache
from mmfastervit.registry import MODELS, register_model

from .hat_plugin import HATPlugin, check_at_least_one
from .hosts import Host, HostWindow, Stage, find_host, host_names

MODES = ("append", "replace")
APPEND_OPTIONS = (
    "depth",
    "num_heads",
    "window_size",
    "carrier_size",
    "mlp_ratio",
    "drop_path_rate",
    "init_cfg",
    "with_cp",
)
SWIN_BIAS = 0.0  # around which Swin's position biases lie
REPLACE_OPTIONS = ("carrier_size", "mlp_ratio", "drop_path_rate", "with_cp")


class AppendedHAT(HATPlugin):
    """HAT at the end of a host's stage, whose maps are (B, C, H, W)."""


class AppendedHATNHWC(AppendedHAT):
    """HAT at the end of a stage whose maps are (B, H, W, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H, W, C) to the same shape."""
        return to_nhwc(super().forward(from_nhwc(x)))


class AppendedHATTokens(AppendedHAT):
    """HAT at the end of a stage whose maps are (B, H*W, C)."""

    def forward(self, x: Tensor, hw_shape: Sequence[int]) -> Tensor:
        """Map (B, H*W, C) to the same shape; ``hw_shape`` is (H, W)."""
        return to_tokens(super().forward(from_tokens(x, hw_shape)))


APPENDED = {"NCHW": AppendedHAT, "NHWC": AppendedHATNHWC, "tokens": AppendedHATTokens}


class HATBlocks(ModuleList):
    """The blocks of a host's stage, joined by carrier tokens instead of shifted windows.

    Each block has ``hat``, which attends among the carriers and by the block's own weights inside
    the windows, and the first has the ``tokenizer``. Carriers pass from block to block, so to its
    stage this is one block: iterating yields only this module.

    Args:
        blocks: The host's container of the blocks.
        window: Side of a window, in pixels.
        carrier_size: Carrier tokens along the side of a window.
        with_cp: Recompute each block in the backward pass.
    """

    def __init__(self, blocks: nn.Module, window: int, carrier_size: int, with_cp: bool):
        super().__init__(blocks)
        self.original = (blocks,)  # in a tuple: not to be registered once more
        self.window = window
        self.carrier_size = carrier_size
        self.with_cp = with_cp
        self._cache = TableCache()

    def __iter__(self) -> Iterator["HATBlocks"]:
        yield self

    def forward(self, x: Tensor, hw_shape: Sequence[int] | None = None) -> Tensor:
        """Run all blocks on (B, H, W, C), or on (B, H*W, C) with ``hw_shape`` (H, W)."""
        x = from_nhwc(x) if hw_shape is None else from_tokens(x, hw_shape)
        windows = find_windows(x, self.window, self.carrier_size, self._cache)
        blocks = list(self.children())
        hats = [block.hat for block in blocks]
        tokens = run_blocks(x, blocks[0].tokenizer, hats, windows, self.with_cp)
        pixels = split_tokens(tokens, windows.grid)[1]
        return pixels.unflatten(1, x.shape[2:]) if hw_shape is None else pixels


def from_nhwc(x: Tensor) -> Tensor:
    """View (B, H, W, C) as (B, C, H, W)."""
    return x.permute(0, 3, 1, 2)


def to_nhwc(x: Tensor) -> Tensor:
    """View (B, C, H, W) as (B, H, W, C)."""
    return x.permute(0, 2, 3, 1)


def from_tokens(x: Tensor, hw_shape: Sequence[int]) -> Tensor:
    """View (B, H*W, C) as (B, C, H, W)."""
    return x.transpose(1, 2).unflatten(2, tuple(hw_shape))


def to_tokens(x: Tensor) -> Tensor:
    """View (B, C, H, W) as (B, H*W, C)."""
    return x.flatten(2).transpose(1, 2)


def insert_hat(
    model: nn.Module,
    stages: Sequence[int] = (2, 3),
    mode: str = "append",
    plugin: Mapping | None = None,
) -> list[str]:
    """Put hierarchical attention into the stages of a backbone, in place.

    ``'append'`` adds a :class:`HATPlugin` after the blocks of each stage, before its downsampling
    and its output norm; outputs do not change until training opens its gate. ``'replace'``, for
    window attention only, makes every block a HAT block with the host's own weights: none is
    shifted any more, carriers join the windows instead, and padding is masked.

    Args:
        model: The backbone, or a model that has one as ``backbone`` (a detector, a segmentor).
        stages: Stages of the backbone, from 0; negative ones count from the last.
        mode: 'append' or 'replace'.
        plugin: For 'append', arguments of :class:`HATPlugin` but for ``in_channels``. For
            'replace', ``carrier_size``, ``mlp_ratio`` and ``drop_path_rate`` of the carriers.
            ``with_cp`` is the host's unless given.

    Returns:
        Names, in ``model``, of the modules that were inserted.

    Raises:
        TypeError: ``plugin`` has an argument that is not accepted.
        ValueError: The backbone is of no known kind or cannot take the mode, a stage does not
            exist, or there is HAT in it already. The model is untouched then.
    """
    prefix, backbone, host, found = locate_host(model)
    if mode not in MODES:
        raise ValueError(f"mode must be one of {MODES}, not {mode!r}")
    if mode not in host.modes:
        raise ValueError(
            f"mode={mode!r} needs window attention, which the {type(backbone).__name__} "
            f"({host.name}) has not; it can take mode={' or '.join(map(repr, host.modes))}"
        )
    chosen = [found[i] for i in resolve_stages(stages, len(found))]
    present = [f"{prefix}{name}" for name, _ in hat_modules(backbone)]
    if present:
        raise ValueError(f"there is HAT in this backbone already ({present}): remove_hat first")
    options = check_options(plugin, mode)
    prepare = prepare_append if mode == "append" else prepare_replace
    prepared = [prepare(backbone, stage, host, options) for stage in chosen]
    return [f"{prefix}{name}" for attach in prepared for name in attach()]


def remove_hat(model: nn.Module) -> list[str]:
    """Take out what :func:`insert_hat` put in, in place: the backbone is again as it was before.

    Args:
        model: The backbone or a model around it.

    Returns:
        Names, in ``model``, of the modules that were taken out.

    Raises:
        ValueError: There are none.
    """
    found = hat_modules(model)
    if not found:
        raise ValueError(f"there is no HAT in this {type(model).__name__} that insert_hat put in")
    for path, module in found:
        owner_path, _, name = path.rpartition(".")
        owner = model.get_submodule(owner_path)
        if isinstance(module, AppendedHAT):
            del owner[int(name)]
        else:
            delattr(owner, name)
    for path, module in list(model.named_modules()):
        if isinstance(module, HATBlocks):
            owner_path, _, name = path.rpartition(".")
            original = module.original[0].train(module.training)
            setattr(model.get_submodule(owner_path), name, original)
    return [path for path, _ in found]


@register_model(name="HATBackbone")
def build_hat_backbone(
    backbone: Mapping,
    stages: Sequence[int] = (2, 3),
    mode: str = "append",
    plugin: Mapping | None = None,
) -> nn.Module:
    """Build a backbone from its config and put HAT into it: ``type='mmfastervit.HATBackbone'``.

    What is built is the backbone itself, of its own class, so that whatever the config of a model
    says about it goes on to hold.

    Args:
        backbone: Config of the backbone.
        stages: See :func:`insert_hat`, as for the rest.

    Returns:
        The backbone.
    """
    if not isinstance(backbone, Mapping) or "type" not in backbone:
        raise TypeError(
            "backbone must be the config of a backbone, such as "
            f"dict(type='mmdet.SwinTransformer', ...), not {backbone!r}"
        )
    built = MODELS.build(backbone)
    insert_hat(built, stages, mode, plugin)
    return built


def prepare_append(
    backbone: nn.Module, stage: Stage, host: Host, options: Mapping
) -> Callable[[], list[str]]:
    """Make the plug-in of one stage; what is returned attaches it and tells its name."""
    hat = APPENDED[stage.layout](stage.channels, **{"with_cp": stage.with_cp, **options})
    make_alike(hat, stage)

    def attach() -> list[str]:
        stage.blocks.append(hat)
        return [f"{stage.path}.{len(stage.blocks) - 1}"]

    return attach


def prepare_replace(
    backbone: nn.Module, stage: Stage, host: Host, options: Mapping
) -> Callable[[], list[str]]:
    """Make the carriers of one stage; what is returned attaches them and tells their names."""
    options = {"carrier_size": 2, "with_cp": stage.with_cp, **options}
    carrier_size, with_cp = options.pop("carrier_size"), options.pop("with_cp")
    check_at_least_one(carrier_size=carrier_size)
    blocks = list(stage.blocks)
    windows = [host.window(block) for block in blocks]
    side = common_window(stage.path, windows)
    if carrier_size > side:
        raise ValueError(f"carrier_size={carrier_size} exceeds the windows' side, {side}")

    tokenizer = CarrierTokenizer(stage.channels)
    hats = [
        HATBlock(window, replace_layer(stage, window, **options), carrier_key_bias=SWIN_BIAS)
        for window in windows
    ]
    for module in (tokenizer, *hats):
        module.apply(initialize)
        make_alike(module, stage)
    joined = HATBlocks(stage.blocks, side, carrier_size, with_cp)
    joined.train(stage.blocks.training)

    def attach() -> list[str]:
        for block, hat in zip(blocks, hats, strict=True):
            block.hat = hat
        blocks[0].tokenizer = tokenizer
        setattr(backbone.get_submodule(stage.owner), stage.name, joined)
        return [
            f"{stage.path}.0.tokenizer",
            *(f"{stage.path}.{i}.hat" for i in range(len(blocks))),
        ]

    return attach


def replace_layer(
    stage: Stage, window: HostWindow, mlp_ratio: float = 4.0, drop_path_rate: float = 0.0
) -> AttentionLayer:
    """Make the layer that attends among the carriers, with the host's heads."""
    return AttentionLayer(stage.channels, window.attention.num_heads, mlp_ratio, drop_path_rate)


def make_alike(module: nn.Module, stage: Stage) -> None:
    """Give a new module the device, precision, mode and freezing of its stage."""
    weights = list(stage.blocks.parameters())
    module.to(weights[0].device, weights[0].dtype).train(stage.blocks.training)
    if not any(weight.requires_grad for weight in weights):
        module.requires_grad_(False)
        print_log(
            f"{stage.path} is frozen, so the HAT in it is as well and will not be trained",
            logger="current",
            level=logging.WARNING,
        )


def common_window(path: str, windows: Sequence[HostWindow]) -> int:
    """Side of the windows of a stage.

    Raises:
        ValueError: The attention of a block is not Swin's, or windows are not square and alike.
    """
    for window in windows:
        if not hasattr(window.attention, "relative_position_bias_table"):
            raise ValueError(
                f"mode='replace' keeps Swin's table of position biases, which {path} has not "
                f"({type(window.attention).__name__}): take mode='append'"
            )
    sides = {side for window in windows for side in window.attention.window_size}
    if len(sides) > 1:
        raise ValueError(f"mode='replace' takes square windows of one size, not {sides} in {path}")
    return sides.pop()


def hat_modules(root: nn.Module) -> list[tuple[str, nn.Module]]:
    """What :func:`insert_hat` put into ``root``, with its names."""
    added = []
    for path, module in root.named_modules():
        if isinstance(module, AppendedHAT):
            added.append((path, module))
        elif isinstance(module, HATBlocks):
            first = next(module.children())
            added.append((f"{path}.0.tokenizer", first.tokenizer))
            added += [(f"{path}.{name}.hat", b.hat) for name, b in module.named_children()]
    return added


def locate_host(model: nn.Module) -> tuple[str, nn.Module, Host, list[Stage]]:
    """Find the backbone in ``model``, its name with a dot behind, its kind and its stages.

    Raises:
        TypeError: Not a module.
        ValueError: The backbone is of no known kind.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"HAT goes into a built model or backbone, not into a {type(model).__name__}"
        )
    prefix, inner = "", model
    while True:
        if found := find_host(inner):
            return prefix, inner, *found
        name = next((n for n in ("backbone", "module") if hasattr(inner, n)), None)
        if name is None:
            raise ValueError(
                f"HAT cannot be put into a {type(inner).__name__}: it is none of "
                f"{'; '.join(host_names())}. Describe it to mmfastervit.register_host, whose "
                "docstring has an example, or build HATPlugin into it by hand"
            )
        prefix, inner = f"{prefix}{name}.", getattr(inner, name)


def resolve_stages(stages: Sequence[int], number: int) -> list[int]:
    """Turn stage numbers, negative ones counting from the last, into 0 ... ``number - 1``.

    Raises:
        ValueError: None given, one twice, or one out of range.
    """
    valid = isinstance(stages, Sequence) and all(isinstance(i, int) for i in stages)
    resolved = [i + number if i < 0 else i for i in stages] if valid else []
    in_range = all(0 <= i < number for i in resolved)
    if not resolved or not in_range or len(set(resolved)) < len(resolved):
        raise ValueError(
            f"stages={stages!r} must name at least one stage, none twice; this backbone has stages "
            f"0 to {number - 1}"
        )
    return resolved


def check_options(plugin: Mapping | None, mode: str) -> dict:
    """Return ``plugin`` as a dict if ``mode`` takes its arguments; raise TypeError otherwise."""
    accepted = APPEND_OPTIONS if mode == "append" else REPLACE_OPTIONS
    plugin = dict(plugin or {})
    plugin.pop("type", None)
    unknown = sorted(set(plugin) - set(accepted))
    if unknown:
        raise TypeError(
            f"plugin={plugin!r}: {', '.join(unknown)} cannot be given with mode={mode!r}, which "
            f"takes {', '.join(accepted)} (the rest follows from the host)"
        )
    return plugin
