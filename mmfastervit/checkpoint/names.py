"""Names of weights: the reference implementation's, this package's, and wrappers' prefixes.

Pure functions of state dicts; no tensor is looked at.
"""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from mmfastervit.archs import CONV_STAGES, NUM_STAGES

WRAPPERS = ("module.", "backbone.", "encoder.")
_BLOCK = re.compile(r"\.blocks\.(\d+)\.")
_PUBLISHED = re.compile(r"(patch_embed\.conv_down|levels\.\d+)\.")
_OURS = re.compile(r"(stem|stages|downsamples|out_norms)\.")
_NOT_LEARNED = {
    "classifier": re.compile(r"^(norm|head)\."),
    "derived tables": re.compile(r"\.relative_(bias|coords_table|position_index)$"),
    "second copies": re.compile(r"\.to_global_feature\.pos\."),
}


# Published names inside a block, and ours.
_CONV_NAMES = {part: part for part in ("conv1", "norm1", "conv2", "norm2")}
_LAYER_NAMES = {
    "pos_embed.cpb_mlp.0": "position.fc1",
    "pos_embed.cpb_mlp.2": "position.fc2",
    "attn.pos_emb_funct.cpb_mlp.0": "relative_bias.fc1",
    "attn.pos_emb_funct.cpb_mlp.2": "relative_bias.fc2",
    **{part: part for part in ("norm1", "norm2", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")},
}
_ATTENTION_NAMES = {
    "gamma1": "carrier.scale1.gamma",
    "gamma2": "carrier.scale2.gamma",
    "gamma3": "window.scale1.gamma",
    "gamma4": "window.scale2.gamma",
    **{theirs: f"window.{ours}" for theirs, ours in _LAYER_NAMES.items()},
    **{f"hat_{theirs}": f"carrier.{ours}" for theirs, ours in _LAYER_NAMES.items()},
}
# Modules, and the bare parameters of the layer scales; * stands for a block's number.
_TO_OURS = {
    **{
        f"patch_embed.conv_down.{i}": f"stem.{part}"
        for i, part in ((0, "conv1"), (1, "norm1"), (3, "conv2"), (4, "norm2"))
    },
    **{f"levels.{s}.downsample.norm": f"downsamples.{s}.norm" for s in range(NUM_STAGES - 1)},
    **{
        f"levels.{s}.downsample.reduction.0": f"downsamples.{s}.conv" for s in range(NUM_STAGES - 1)
    },
    "levels.2.global_tokenizer.pos_embed": "stages.2.tokenizer.conv",
    **{
        f"levels.{stage}.blocks.*.{theirs}": f"stages.{stage}.blocks.*.{ours}"
        for stage in range(NUM_STAGES)
        for theirs, ours in (_CONV_NAMES if stage in CONV_STAGES else _ATTENTION_NAMES).items()
    },
}
_TO_PUBLISHED = {ours: theirs for theirs, ours in _TO_OURS.items()}


def _rename(name: str, table: Mapping[str, str]) -> str | None:
    """Rename a parameter by its own entry or by its module's; None if there is neither."""
    block = _BLOCK.search(name)
    generic = _BLOCK.sub(".blocks.*.", name)
    module, _, leaf = generic.rpartition(".")
    if generic in table:
        renamed = table[generic]
    elif module in table:
        renamed = f"{table[module]}.{leaf}"
    else:
        return None
    return renamed.replace("*", block[1]) if block else renamed


def is_published(names: Iterable[str]) -> bool:
    """Whether any of the names is of the reference implementation."""
    return any(_PUBLISHED.match(name) for name in names)


def is_known(name: str) -> bool:
    """Whether a weight of a FasterViT has this name, in either implementation."""
    in_tables = _rename(name, _TO_OURS) or _rename(name, _TO_PUBLISHED)
    return in_tables is not None or name.startswith("out_norms.")


def is_inside(name: str) -> bool:
    """Whether a name is of a part that a FasterViT has, be it known or not."""
    return bool(_OURS.match(name) or _PUBLISHED.match(name))


def from_published(
    weights: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, list[str]]]:
    """Translate weights of the reference implementation to this package's names.

    Returns:
        The weights under our names, unknown ones as they are; and the names that were dropped, by
        kind: the classifier, tables derived from other weights, and the tokenizer's second copy.
    """
    ours: dict[str, Tensor] = {}
    dropped: dict[str, list[str]] = {}
    for name, value in weights.items():
        kind = next((k for k, pattern in _NOT_LEARNED.items() if pattern.search(name)), None)
        if kind is None:
            ours[_rename(name, _TO_OURS) or name] = value
        else:
            dropped.setdefault(kind, []).append(name)
    return ours, dropped


def to_published(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Translate weights of this package to the names of the reference implementation.

    Its classifier and its derived tables are not made up, so it takes the result by
    ``strict=False`` only. Output norms, which it does not have, are left out.

    Raises:
        ValueError: A name that is not of this package's FasterViT.
    """
    theirs = {}
    for name, value in weights.items():
        if name.startswith("out_norms."):
            continue
        renamed = _rename(name, _TO_PUBLISHED)
        if renamed is None:
            raise ValueError(f"{name!r} is not the name of a FasterViT weight")
        theirs[renamed] = value
        if name.startswith("stages.2.tokenizer.conv."):
            theirs[renamed.replace("pos_embed", "to_global_feature.pos")] = value
    return theirs


def backbone_part(
    weights: Mapping[str, Tensor], prefix: str | None = None
) -> tuple[dict[str, Tensor], list[str], str]:
    """Strip ``prefix`` and the usual wrappers' (module., backbone., encoder.) off the names.

    Where only some names carry one, as in a detector's file, only those are kept.

    Returns:
        The weights under what remains of their names, the whole names of those left out, and what
        was stripped.

    Raises:
        ValueError: No name starts with ``prefix``.
    """
    path = _find_prefix(weights, prefix) if prefix else ""
    while True:
        inside = {k.removeprefix(path): v for k, v in weights.items() if k.startswith(path)}
        wrapper = next((w for w in WRAPPERS if any(name.startswith(w) for name in inside)), None)
        if wrapper is None or any(map(is_known, inside)):
            return inside, [name for name in weights if not name.startswith(path)], path
        path += wrapper


def _find_prefix(names: Iterable[str], prefix: str) -> str:
    dotted = prefix if prefix.endswith(".") else f"{prefix}."
    for path in (dotted, f"module.{dotted}"):
        if any(name.startswith(path) for name in names):
            return path
    raise ValueError(f"no name starts with prefix={prefix!r}; they start with {roots(names)}")


def roots(names: Iterable[str]) -> list[str]:
    """List the first parts of dotted names, each once."""
    return list(dict.fromkeys(name.partition(".")[0] for name in names))
