"""From what a user asks for as pretrained weights to the name of a checkpoint."""

from collections.abc import Mapping
from pathlib import Path

from .published import PUBLISHED, SCHEME

FROM_SCRATCH = "none"


def checkpoint_for(arch: str | Mapping, pretrained: str | None) -> str | None:
    """Turn what the user asked for into a checkpoint's name.

    Args:
        arch: The architecture; weights were published for those that have a name.
        pretrained: ``"none"``, a path, a URL, ``mmfastervit://NAME``; None for the weights that
            were published for ``arch``.

    Returns:
        Its name, a path made absolute; None to train from scratch.

    Raises:
        ValueError: published weights of another arch, or there are none of that name.
        FileNotFoundError: there is no such file.
    """
    if pretrained == FROM_SCRATCH:
        return None
    published = {name: weights.arch for name, weights in PUBLISHED.items()}
    if pretrained is None:
        return next((SCHEME + name for name, of in published.items() if of == arch), None)
    if pretrained.startswith(SCHEME):
        name = pretrained.removeprefix(SCHEME)
        if published.get(name) != arch:
            fitting = [SCHEME + known for known, of in published.items() if of == arch]
            raise ValueError(f"{pretrained} does not fit {arch}; there is {', '.join(fitting)}")
    return pretrained if "://" in pretrained else _existing_file(pretrained)


def _existing_file(name: str) -> str:
    path = Path(name).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"--pretrained {name}: there is no such file; expected a path, a URL, "
            f"{SCHEME}NAME with NAME one of {', '.join(PUBLISHED)}, or {FROM_SCRATCH}"
        )
    return str(path.absolute())
