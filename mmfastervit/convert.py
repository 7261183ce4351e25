"""Conversion of checkpoint files between published names and this package's."""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from mmfastervit.archs import ARCHS, Arch
from mmfastervit.checkpoint.content import ARCH_KEY, Content, count_stages, find_backbone
from mmfastervit.checkpoint.formats import SAFETENSORS
from mmfastervit.checkpoint.loading import check_fit, count, count_kinds
from mmfastervit.checkpoint.names import to_published
from mmfastervit.checkpoint.reading import (
    ARCH_FIELDS,
    read_checkpoint,
    read_source,
    stated_arch,
)
from mmfastervit.files import sha256_of, written_whole
from mmfastervit.models.backbones.fastervit import FasterViT

SUFFIXES = (".pth", ".pth.tar", ".pt", SAFETENSORS)
_NOT_MADE = (
    "not made up, so load it with strict=False: the classifier (norm.*, head.*) and the derived "
    "tables (relative_bias, relative_coords_table, relative_position_index)"
)


@dataclass(frozen=True)
class Conversion:
    """What a conversion did; as a string, the report of the command.

    Args:
        source: The file read.
        target: The file written.
        to_published: Whether it has the reference implementation's names, or this package's.
        archs: Published architectures it agrees with; none for a custom one.
        tensors: Tensors written.
        unexpected: Names in the source of what belongs to no part of a FasterViT.
        dropped: Names in the source of what was left out, by kind.
        sha256: Hash of the file written.
    """

    source: str
    target: Path
    to_published: bool
    archs: tuple[str, ...]
    tensors: int
    unexpected: tuple[str, ...]
    dropped: Mapping[str, list[str]]
    sha256: str

    def __str__(self) -> str:
        names = "published" if self.to_published else "mmfastervit's"
        made_up = f"; {_NOT_MADE}" if self.to_published else ""
        return (
            f"{self.source} -> {self.target}: {' or '.join(self.archs) or 'custom arch'}, "
            f"{self.tensors} tensors under {names} names, read back and compared; unexpected: "
            f"{count(self.unexpected)}; dropped: {count_kinds(self.dropped)}{made_up}\n"
            f"sha256 {self.sha256}"
        )


def convert(
    source: str | Path,
    target: str | Path,
    arch: str | None = None,
    trust_checkpoint: bool = False,
    force: bool = False,
) -> Conversion:
    """Write the FasterViT of a checkpoint file under the other implementation's names.

    The file is written under another name beside ``target``, read back, compared and only then
    moved there, so that ``target`` is a whole file or not there. It states the architecture where
    that is known.

    Where ``source`` is a URL, every process of a distributed run must call this: see
    :func:`~mmfastervit.checkpoint.sources.resolve_source`.

    Args:
        source: Path, URL or ``mmfastervit://NAME``.
        target: A file ending in one of ``SUFFIXES``; the last makes it a safetensors file.
        arch: The published architecture it must be; needed where shapes fit several, to have the
            file name it.
        trust_checkpoint: Unpickle whatever the source holds, which runs any code in it.
        force: Replace ``target`` if it is there.

    Raises:
        FileNotFoundError: No such source, or no folder to write to.
        FileExistsError: ``target`` is there, and not ``force``.
        ValueError: The source holds no whole FasterViT, or not ``arch``.
    """
    source, target = str(source), Path(target).expanduser()
    _check_target(target, force)
    entries = read_source(source, trust_checkpoint)
    content = find_backbone(entries, source, arch=stated_arch(entries) or arch)
    _check_arch(content, source, arch)
    kept, dropped = content.weights, dict(content.dropped)
    if not content.published:
        kept = {k: v for k, v in kept.items() if not k.startswith("out_norms.")}
        if norms := [name for name in content.weights if name not in kept]:
            dropped["output norms"] = norms
    written = kept if content.published else to_published(kept)
    with written_whole(target) as part:
        _write(part, written, content)
        back = read_checkpoint(part)
        again = find_backbone(back, str(part)).weights
        if not (_same_bits(back["state_dict"], written) and _same_bits(again, kept)):
            raise ValueError(f"{part}: what was read back is not what was written")
        sha256 = sha256_of(part)
    return Conversion(
        source=source,
        target=target,
        to_published=not content.published,
        archs=tuple(content.archs),
        tensors=len(written),
        unexpected=tuple(content.unexpected),
        dropped=dropped,
        sha256=sha256,
    )


def _check_target(target: Path, force: bool) -> None:
    if not target.name.endswith(SUFFIXES):
        raise ValueError(f"{target}: the name must end in one of {', '.join(SUFFIXES)}")
    if target.exists() and not force:
        raise FileExistsError(f"{target} is there already; --force replaces it")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {target.parent} to write to")


def _check_arch(content: Content, source: str, arch: str | None) -> None:
    """Raise unless the weights are all that a backbone of their architecture has."""
    if arch is not None and arch not in ARCHS:
        raise ValueError(f"unknown arch {arch!r}; choose one of {', '.join(ARCHS)}")
    if content.inferred is None or "stem.conv1.weight" not in content.weights:
        raise ValueError(f"{source} lacks parts of every FasterViT: its stem or its first stage")
    if arch is not None and arch not in content.archs:
        raise ValueError(f"{source} is not of {arch}: it looks like {content.looks}")
    with torch.device("meta"):
        model = FasterViT(
            asdict(content.inferred),
            in_channels=content.weights["stem.conv1.weight"].shape[1],
            out_indices=range(count_stages(content.weights)),
            out_norm=None,
        )
    check_fit(model, content, source)


def _write(path: Path, weights: Mapping[str, Tensor], content: Content) -> None:
    name = content.archs[0] if len(content.archs) == 1 else None
    arch: Arch | None = content.arch or (ARCHS[name] if name else None)
    meta = {ARCH_KEY: name} if name else {}
    # a copy of each: safetensors refuses shared storages, torch.save writes the whole of each
    whole = OrderedDict(
        (name, value.detach().clone(memory_format=torch.contiguous_format))
        for name, value in weights.items()
    )
    if path.suffix == SAFETENSORS:
        fields = {ARCH_FIELDS: json.dumps(asdict(arch))} if arch else {}
        save_file(whole, path, metadata={"format": "pt", **meta, **fields})
        return
    if arch:  # where state_dict() keeps it
        whole._metadata = {"": {ARCH_KEY: asdict(arch)}}  # type: ignore[attr-defined]
    with path.open("wb") as file:  # given a path, torch.save writes its name into the file
        torch.save({"state_dict": whole, "meta": meta}, file)


def _same_bits(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(
        value.dtype == b[name].dtype
        and value.shape == b[name].shape
        and torch.equal(*(one.reshape(-1).view(torch.uint8) for one in (value, b[name])))
        for name, value in a.items()
    )
