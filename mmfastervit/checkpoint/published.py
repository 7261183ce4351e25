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


_PARAMS_1K = (31.40, 53.37, 75.92, 159.55, 365.56, 957.5, 1360.3)
_PARAMS_21K = 271.94
_WINDOWS_21K = {224: 14, 384: 24, 512: 32, 768: 48}

PUBLISHED: Mapping[str, PublishedWeights] = {
    **{
        f"fastervit_{i}_224_1k": PublishedWeights(
            f"fastervit_{i}", f"fastervit_{i}_224_1k.pth.tar", params
        )
        for i, params in enumerate(_PARAMS_1K)
    },
    **{
        f"fastervit_4_21k_{size}_w{window}": PublishedWeights(
            f"fastervit_4_21k_{size}", f"fastervit_4_21k_{size}_w{window}.pth.tar", _PARAMS_21K
        )
        for size, window in _WINDOWS_21K.items()
    },
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
