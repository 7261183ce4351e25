"""How recipes are led to a data set: options, or links where they look for it."""

import os
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmfastervit.config.finding import zoo_folder
from mmfastervit.config.tree import dotted, leaf_datasets, walk

from .looking import Look
from .pieces import Use


def recipes_of(use: Use) -> list[str]:
    """Names of the recipes that read this, as commands take them."""
    folder = zoo_folder("mmfastervit")
    found = sorted(folder.glob(use.recipes)) if folder else []
    return [f"mmfastervit::{path.relative_to(folder).as_posix()}" for path in found if folder]


def is_where_recipes_look(look: Look, working: Path) -> bool:
    """Whether recipes that are started in ``working`` find all parts without being told."""
    root = working / look.use.data_root
    return all(
        (root / part.name).resolve() == look.places[part].path.resolve() for part in look.use.parts
    )


def options_for(cfg: Config, look: Look) -> dict[str, str]:
    """What ``--cfg-options`` has to set in a recipe, by key, for it to read what was found."""
    options: dict[str, str] = {}
    root = look.use.data_root
    for stage in ("train", "val", "test"):
        loader = cfg.get(f"{stage}_dataloader")
        if loader:
            key = f"{stage}_dataloader.dataset"
            for name, dataset in leaf_datasets(loader.dataset, key):
                options[f"{name}.data_root"] = look.base.as_posix()
                options |= _moved_prefixes(name, dataset, look)
        options |= _evaluators(cfg.get(f"{stage}_evaluator"), f"{stage}_evaluator", root, look)
    return options


def _moved_prefixes(key: str, dataset: dict, look: Look) -> dict[str, str]:
    """The settings of a data set that lead to parts that lie elsewhere."""
    paths = {f"data_prefix.{k}": v for k, v in (dataset.get("data_prefix") or {}).items()}
    paths["ann_file"] = dataset.get("ann_file") or ""
    moved = look.moved
    return {
        f"{key}.{name}": f"{_from(look.base, moved[path.rstrip('/')])}"
        for name, path in paths.items()
        if path.rstrip("/") in moved
    }


def _evaluators(evaluator: Any, key: str, root: str, look: Look) -> dict[str, str]:
    """The settings of an evaluator that lead to files of the data set."""
    found = {}
    for path, value in walk(evaluator, (key,)):
        if isinstance(value, str) and value.startswith(root):
            name = value.removeprefix(root).strip("/")
            found[dotted(path)] = look.moved.get(name, look.base / name).as_posix()
    return found


def _from(base: Path, path: Path) -> str:
    """A path as a setting below ``data_root`` has it."""
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path.resolve())


def links_for(look: Look, folder: Path) -> dict[Path, Path]:
    """The links that lead recipes to the parts: where each stands, and to what it leads.

    Args:
        look: What was found.
        folder: In place of ``data``, the folder in which recipes look.
    """
    place = folder / Path(look.use.data_root).relative_to("data")
    if not look.moved:
        return {place: look.base}
    return {place / part.name: look.places[part].path for part in look.use.parts}


def make_links(links: dict[Path, Path]) -> list[Path]:
    """Make links; one that leads there already stays, and so do those that a part lies behind.

    Returns:
        Those that were made.

    Raises:
        FileExistsError: Something else stands there; nothing was made.
    """
    wanted = {
        place: target for place, target in links.items() if place.resolve() != target.resolve()
    }
    taken = [str(place) for place in wanted if os.path.lexists(place)]
    if taken:
        raise FileExistsError(
            f"--link: {', '.join(taken)} is there already and leads elsewhere; nothing was linked: "
            "move it away, or name another folder"
        )
    for place, target in wanted.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target.resolve())
    return list(wanted)
