"""What a checkpoint holds: the weights of a FasterViT, of which architecture, and what else."""

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from torch import Tensor, nn

from mmfastervit.archs import ARCHS, ATTENTION_STAGES, NUM_STAGES, Arch

from .names import backbone_part, from_published, is_inside, is_known, is_published, roots

WRAPPING_KEYS = ("state_dict", "model")
ARCH_KEY = "arch"  # of the fields of an Arch, in a state dict's metadata
_BLOCK = re.compile(r"stages\.(\d+)\.blocks\.(\d+)\.")


@dataclass(frozen=True)
class Content:
    """A FasterViT as found in a checkpoint.

    Args:
        weights: Its weights, under this package's names.
        published: Whether they stood there under the reference implementation's names.
        arch: Its architecture, where the checkpoint states it and the shapes agree.
        windows: Window sides of stages, as far as the checkpoint tells.
        archs: Published architectures that agree with all of it.
        dropped: Names, as they stood there, of what is not such a weight, by kind.
        unexpected: What belongs to no part of a FasterViT.
    """

    weights: dict[str, Tensor]
    published: bool
    arch: Arch | None
    windows: dict[int, int]
    archs: list[str]
    dropped: dict[str, list[str]]
    unexpected: dict[str, Tensor]

    @property
    def inferred(self) -> Arch | None:
        """Its architecture, stated or else as far as shapes tell."""
        return self.arch or infer_arch(self.weights, self.windows)

    @property
    def looks(self) -> str:
        """Published architectures that it may be of, or what is known of its own."""
        if self.archs or not self.inferred:
            return " or ".join(self.archs) or "no published architecture"
        seen = visible(self.inferred, count_stages(self.weights), self.windows)
        fields = ", ".join(f"{name}={value}" for name, value in seen.items())
        return f"no published architecture ({fields})"


def find_backbone(
    checkpoint: Mapping[str, Any],
    source: str,
    prefix: str | None = None,
    arch: str | Arch | None = None,
) -> Content:
    """Find the FasterViT in a checkpoint: a state dict, or one under 'state_dict' or 'model'.

    Args:
        checkpoint: What the file holds.
        source: What to call it in errors.
        prefix: What precedes the backbone's names, where it is not a usual wrapper's.
        arch: The architecture, or the published one's name, where it is known and the state dict's
            metadata does not state it. It tells what shapes do not, unless they contradict it.

    Raises:
        ValueError: There is none.
    """
    entries = unwrap(checkpoint)
    tensors = {name: value for name, value in entries.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError(f"{source} holds no weights, as such or under {WRAPPING_KEYS}")
    try:
        weights, others, path = backbone_part(tensors, prefix)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    if not any(is_known(name) for name in weights):
        raise ValueError(
            f"{source} holds no weights of a FasterViT: not one of its {len(tensors)} names is "
            f"known ({shorten(tensors)}). Is it of another model? Or name what precedes the "
            f"backbone's names, by prefix=... in init_cfg"
        )
    published = is_published(weights)
    windows = window_sides(weights)
    dropped: dict[str, list[str]] = {}
    if published:
        weights, dropped = from_published(weights)
    if others:
        dropped[f"of other parts: {shorten(roots(others))}"] = others
    if len(tensors) < len(entries):
        dropped["no tensors"] = [name for name in entries if name not in tensors]
    unexpected = {name: value for name, value in weights.items() if not is_inside(name)}
    weights = {name: value for name, value in weights.items() if is_inside(name)}
    metadata = getattr(entries, "_metadata", None) or {}
    known = arch_in(metadata.get(path.removesuffix("."), {})) or arch
    stated = ARCHS.get(known) if isinstance(known, str) else known
    stated, archs = recognise(weights, windows, stated)
    if stated:
        windows = dict(zip(ATTENTION_STAGES, stated.windows, strict=True))
    return Content(weights, published, stated, windows, archs, dropped, unexpected)


def state_arch(module: nn.Module, _: dict, prefix: str, local_metadata: dict) -> None:
    """Post-hook of ``state_dict``: keep the architecture in its metadata, beside the version.

    It takes no name among the weights, and ``torch.save`` and mmengine keep it.
    """
    local_metadata[ARCH_KEY] = asdict(cast(Arch, module.arch))


def arch_in(local_metadata: Mapping[str, Any]) -> Arch | None:
    """Read what :func:`state_arch` wrote; None where there is nothing, or nothing known here."""
    try:
        return Arch(**local_metadata[ARCH_KEY])
    except (KeyError, TypeError, ValueError):  # another module's entry, or a later version's
        return None


def essentials(arch: Arch, num_stages: int = NUM_STAGES) -> dict[str, Any]:
    """What of an architecture the outputs of its first stages depend on, given the weights.

    That is neither stochastic depth nor the initial value of layer scales.
    """
    first = ATTENTION_STAGES[0]
    found = dict(dim=arch.dim, in_dim=arch.in_dim, depths=arch.depths[:num_stages])
    if num_stages <= first:
        return found
    return found | dict(
        num_heads=arch.num_heads[first:num_stages],
        windows=arch.windows[: num_stages - first],
        carrier_size=arch.carrier_size,
        layer_scale=arch.layer_scale is not None,
        propagate=arch.propagate,
        mlp_ratio=arch.mlp_ratio,
    )


def unwrap(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the state dict of a checkpoint, which may be the checkpoint itself."""
    nested = (checkpoint.get(key) for key in WRAPPING_KEYS)
    return next((value for value in nested if isinstance(value, Mapping)), checkpoint)


def window_sides(published: Mapping[str, Tensor]) -> dict[int, int]:
    """Window side of each attention stage, read off the derived tables of a published file."""
    name = "levels.{}.blocks.0.attn.pos_emb_funct.relative_coords_table"
    tables = {stage: published.get(name.format(stage)) for stage in ATTENTION_STAGES}
    return {i: (table.shape[1] + 1) // 2 for i, table in tables.items() if table is not None}


def recognise(
    weights: Mapping[str, Tensor], windows: Mapping[int, int], stated: Arch | None
) -> tuple[Arch | None, list[str]]:
    """Tell the architecture of weights under our names.

    Returns:
        ``stated``, unless the weights, having been changed or cut, are no longer its; and the
        published architectures that agree with all that is known, often just one.
    """
    found, num_stages = infer_arch(weights, windows), count_stages(weights)
    if found is None:
        return None, []
    if stated:
        exact = replace(found, mlp_ratio=stated.mlp_ratio)  # shapes round it to whole features
        if visible(exact, num_stages, windows) == visible(stated, num_stages, windows):
            same = essentials(stated)
            return stated, [name for name, arch in ARCHS.items() if essentials(arch) == same]
    seen = visible(found, num_stages, windows)
    rows = ARCHS.items()
    return None, [name for name, arch in rows if visible(arch, num_stages, windows) == seen]


def infer_arch(weights: Mapping[str, Tensor], windows: Mapping[int, int]) -> Arch | None:
    """Read an architecture off the shapes of weights under our names.

    Stages that are not there count one block. Shapes do not tell the heads of convolutional stages,
    propagation and drop path, nor, where ``windows`` lacks them, the windows.
    """
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    if count_stages(weights) == 0 or len(shapes.get("stem.conv2.weight", ())) != 4:
        return None
    dim, in_dim = shapes["stem.conv2.weight"][:2]
    first = f"stages.{ATTENTION_STAGES[0]}.blocks.0.window"
    hidden = shapes.get(f"{first}.mlp.fc1.weight", (4, 1))
    bias = "stages.{}.blocks.0.window.relative_bias.fc2.weight"
    heads = [shapes.get(bias.format(stage), (1,))[0] for stage in ATTENTION_STAGES]
    fields: dict[str, Any] = dict(
        dim=dim,
        in_dim=in_dim,
        depths=[max(depth, 1) for depth in _depths(weights)],
        num_heads=(1, 1, *heads),
        windows=[windows.get(stage, 7) for stage in ATTENTION_STAGES],
        carrier_size=2 if any(".carrier." in name for name in shapes) else 0,
        layer_scale=1e-5 if f"{first}.scale1.gamma" in shapes else None,
        mlp_ratio=hidden[0] / hidden[1],
    )
    try:
        return Arch(**fields)
    except ValueError:  # shapes that no FasterViT can have
        return None


def visible(arch: Arch, num_stages: int, windows: Mapping[int, int]) -> dict[str, Any]:
    """What the shapes of the first stages, and such windows as are known, tell of ``arch``."""
    seen = essentials(arch, num_stages)
    if seen.pop("propagate", None) is not None:
        seen["carriers"] = seen.pop("carrier_size") > 0
        sides = zip(ATTENTION_STAGES, arch.windows, strict=True)
        seen["windows"] = [side for stage, side in sides if stage in windows]
    return seen


def count_stages(weights: Mapping[str, Tensor]) -> int:
    """Count the stages in weights under our names, from the first without a gap."""
    return [*_depths(weights), 0].index(0)


def _depths(weights: Mapping[str, Tensor]) -> list[int]:
    blocks = {match.groups() for match in map(_BLOCK.match, weights) if match}
    stages = [int(stage) for stage, _ in blocks]
    return [stages.count(stage) for stage in range(NUM_STAGES)]


def shorten(names: Collection[str]) -> str:
    """List the first few names."""
    return ", ".join([*names][:3]) + (", ..." if len(names) > 3 else "")
