"""What a checkpoint holds: the weights of a FasterViT, of which architecture, and what else."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from torch import Tensor, nn

from mmfastervit.archs import ARCHS, ATTENTION_STAGES, NUM_STAGES, Arch

from .names import backbone_part, from_published, is_inside, is_known, is_published, roots

WRAPPING_KEYS = ("state_dict", "model")
ARCH_KEY = "arch"  # of the fields of an Arch, in a state dict's metadata


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
    if stated and not _contradicts(stated, weights, windows):
        windows = dict(zip(ATTENTION_STAGES, stated.windows, strict=True))
        archs = [name for name, row in ARCHS.items() if essentials(row) == essentials(stated)]
    else:
        stated, archs = None, recognise_arch(weights, windows)
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
    sides = {}
    for stage in ATTENTION_STAGES:
        table = published.get(f"levels.{stage}.blocks.0.attn.pos_emb_funct.relative_coords_table")
        if table is not None:
            sides[stage] = (table.shape[1] + 1) // 2
    return sides


def recognise_arch(weights: Mapping[str, Tensor], windows: Mapping[int, int]) -> list[str]:
    """Name the published architectures that weights under our names agree with; often just one."""
    found = infer_arch(weights, windows)
    num_stages = count_stages(weights)
    if found is None:
        return []
    seen = _visible(found, num_stages, windows)
    return [name for name, arch in ARCHS.items() if _visible(arch, num_stages, windows) == seen]


def infer_arch(weights: Mapping[str, Tensor], windows: Mapping[int, int]) -> Arch | None:
    """Read an architecture off the shapes of weights under our names.

    Stages that are not there count one block. Shapes do not tell the heads of convolutional stages,
    propagation and drop path, nor, where ``windows`` lacks them, the windows.
    """
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    num_stages = count_stages(weights)
    if num_stages == 0 or len(shapes.get("stem.conv2.weight", ())) != 4:
        return None
    dim, in_dim = shapes["stem.conv2.weight"][:2]
    depths = [max(_count_blocks(weights, stage), 1) for stage in range(NUM_STAGES)]
    fields: dict[str, Any] = dict(dim=dim, in_dim=in_dim, depths=depths, num_heads=(1, 1, 1, 1))
    if num_stages <= ATTENTION_STAGES[0]:
        return Arch(**fields)
    first = f"stages.{ATTENTION_STAGES[0]}.blocks.0.window"
    hidden = shapes.get(f"{first}.mlp.fc1.weight", (4, 1))
    heads = [
        shapes.get(f"stages.{stage}.blocks.0.window.relative_bias.fc2.weight", (1,))[0]
        for stage in ATTENTION_STAGES
    ]
    fields |= dict(
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


def describe(arch: Arch) -> str:
    """Say what shapes tell of an architecture."""
    carriers = "carriers" if arch.carrier_size else "no carriers"
    scales = "layer scale" if arch.layer_scale else "no layer scale"
    return (
        f"dim={arch.dim}, in_dim={arch.in_dim}, depths={arch.depths}, "
        f"heads {arch.num_heads[2:]}, {carriers}, {scales}"
    )


def count_stages(weights: Mapping[str, Tensor]) -> int:
    """Count the stages in weights under our names, from the first without a gap."""
    depths = [_count_blocks(weights, stage) for stage in range(NUM_STAGES)]
    return depths.index(0) if 0 in depths else NUM_STAGES


def _count_blocks(weights: Mapping[str, Tensor], stage: int) -> int:
    start = f"stages.{stage}.blocks."
    inside = (name.removeprefix(start) for name in weights if name.startswith(start))
    return len({name.partition(".")[0] for name in inside})


def _visible(arch: Arch, num_stages: int, windows: Mapping[int, int]) -> dict[str, Any]:
    """What the shapes of the first stages, and such windows as are known, tell of ``arch``."""
    seen = essentials(arch, num_stages)
    if seen.pop("propagate", None) is not None:
        seen["carrier_size"] = arch.carrier_size > 0
        sides = zip(ATTENTION_STAGES, arch.windows, strict=True)
        seen["windows"] = [side for stage, side in sides if stage in windows]
    return seen


def _contradicts(arch: Arch, weights: Mapping[str, Tensor], windows: Mapping[int, int]) -> bool:
    """Whether weights, having been changed or cut, are no longer those of ``arch``."""
    found, num_stages = infer_arch(weights, windows), count_stages(weights)
    if found is None:
        return True
    found = replace(found, mlp_ratio=arch.mlp_ratio)  # rounded to whole features in the shapes
    return _visible(found, num_stages, windows) != _visible(arch, num_stages, windows)


def shorten(names: Iterable[str], most: int = 3) -> str:
    """List the first few names."""
    names = list(names)
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
