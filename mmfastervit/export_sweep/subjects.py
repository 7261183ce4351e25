"""Which models there are: those of the swap's sweep, and those of our own recipes."""

from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from mmfastervit.config.finding import read_config
from mmfastervit.config.tree import Path, dict_at, type_name, value_at
from mmfastervit.explaining import cause_of
from mmfastervit.swap import SwapRefusedError, plan_swap
from mmfastervit.swap.sweep.running import key_of, zoo_names

OWN = "mmfastervit"
_TASKS = ("det", "seg")  # folders of our recipes; the others have templates
_OURS = ("FasterViT", "HATBackbone")
_PLACES: tuple[Path, ...] = (("model",), ("model", "detector"))


@dataclass(frozen=True)
class Subject:
    """A model to export.

    Args:
        config: The config that it stands in, its backbone swapped if it was not one of ours.
        path: Its place there: of a tracker, the detector inside.
    """

    config: Config
    path: Path

    @property
    def part(self) -> dict[str, Any]:
        """The model's config."""
        return value_at(self.config.to_dict(), self.path)


def names_of(package: str) -> list[str]:
    """Names of a package's configs; of ours the recipes, without the templates for own data."""
    names = zoo_names(package)
    if package != OWN:
        return names
    return [name for name in names if name.startswith(tuple(f"{OWN}::{one}/" for one in _TASKS))]


def subject_of(name: str, arch: str) -> Subject:
    """Read a config, and swap its backbone unless it is one of this package.

    Raises:
        SwapRefusedError: The backbone can't be swapped.
        ValueError: The config can't be read, or does not fit itself.
    """
    config = read_config(name)
    tree = config.to_dict()
    for path in _PLACES:
        if type_name(dict_at(tree, (*path, "backbone")).get("type", "")) in _OURS:
            return Subject(config, path)
    swap = plan_swap(config, arch)
    return Subject(swap.config, swap.model_path)


def find_one(name: str, arch: str) -> dict[str, Any]:
    """Find the model of a config.

    Returns:
        A record: ``config``, and ``model``, a name that configs with the same model share, and
        ``kind``, what it is; or ``model`` None and the ``reason`` why there is none.
    """
    try:
        subject = subject_of(name, arch)
        key, kind = key_of(subject.config, subject.path), type_name(subject.part["type"])
    except SwapRefusedError as error:
        return dict(config=name, model=None, reason=error.reason)
    except Exception as error:  # whatever a config of a zoo does is a result, and no end of it
        return dict(config=name, model=None, reason=cause_of(error))
    return dict(config=name, model=key, kind=kind)


def killed_finding(name: str, reason: str) -> dict[str, Any]:
    """The record of a config whose process ended while its model was looked for."""
    return dict(config=name, model=None, reason=reason)
