"""The weights that the authors of FasterViT published: a table, no code."""

from collections.abc import Mapping
from dataclasses import dataclass

SCHEME = "mmfastervit://"
HUB = "https://huggingface.co/ahatamiz/FasterViT/resolve/main"
LICENCE = "non-commercial use only, see https://github.com/NVlabs/FasterViT"


@dataclass(frozen=True)
class PublishedWeights:
    """One file of ImageNet weights at the authors' hub; read at run time, under their licence.

    Args:
        arch: Its architecture.
        file: Its name at the hub.
        params: Parameters in millions, classifier included.
        licence: What the authors allow.
        sha256: Hash of its content in hexadecimal digits; None where it is not known.
    """

    arch: str
    file: str
    params: float
    licence: str = LICENCE
    sha256: str | None = None

    @property
    def url(self) -> str:
        """Where the file is had."""
        return f"{HUB}/{self.file}"


PUBLISHED: Mapping[str, PublishedWeights] = {
    name: PublishedWeights(arch, f"{name}.pth.tar", params)
    for name, arch, params in (
        ("fastervit_0_224_1k", "fastervit_0", 31.40),
        ("fastervit_1_224_1k", "fastervit_1", 53.37),
        ("fastervit_2_224_1k", "fastervit_2", 75.92),
        ("fastervit_3_224_1k", "fastervit_3", 159.55),
        ("fastervit_4_224_1k", "fastervit_4", 365.56),
        ("fastervit_5_224_1k", "fastervit_5", 957.5),
        ("fastervit_6_224_1k", "fastervit_6", 1360.3),
        ("fastervit_4_21k_224_w14", "fastervit_4_21k_224", 271.94),
        ("fastervit_4_21k_384_w24", "fastervit_4_21k_384", 271.94),
        ("fastervit_4_21k_512_w32", "fastervit_4_21k_512", 271.94),
        ("fastervit_4_21k_768_w48", "fastervit_4_21k_768", 271.94),
    )
}


def find_published(name: str) -> PublishedWeights:
    """Look up published weights.

    Raises:
        ValueError: There are none of that name; the message lists those there are.
    """
    if name not in PUBLISHED:
        rows = [
            f"  {SCHEME}{known}: arch {weights.arch}, {weights.params:g} M parameters"
            for known, weights in PUBLISHED.items()
        ]
        raise ValueError("\n".join([f"no published weights {name!r}; there are", *rows]))
    return PUBLISHED[name]
