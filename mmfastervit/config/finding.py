"""Config files: finding and reading the one that a user names, and naming it in another file."""

import difflib
import importlib.util
import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmfastervit.explaining import explained

ZOOS = ("mmdet", "mmseg", "mmpretrain")  # whose names mmengine reads in _base_
_SUFFIXES = (".py", ".json", ".yaml", ".yml")


def find_config(name: str) -> Path:
    """Find a config file, or an installed one by name: ``"mmdet::FOLDER/FILE.py"``.

    Raises:
        FileNotFoundError: there is no such file; the message names similar ones.
        ValueError: the package is not installed, the name leads out of its configs, or the file is
            no config.
    """
    package, separator, relative = name.partition("::")
    path = Path(name)
    folder = path.parent
    if separator:
        found = zoo_folder(package) if package.isidentifier() else None
        if found is None:
            raise ValueError(f"config {name}: the package {package!r} is not installed")
        folder, path = found, found / relative
        if not path.resolve().is_relative_to(folder):
            raise ValueError(
                f"config {name}: behind '{package}::' stands a path below the configs of that "
                "package; for a file elsewhere give its path alone"
            )
    if not path.is_file():
        raise FileNotFoundError(f"no config {name}{_similar_files(path, folder)}")
    if path.suffix not in _SUFFIXES:
        raise ValueError(f"config {name}: expected a file ending in {', '.join(_SUFFIXES)}")
    return path


def _similar_files(path: Path, folder: Path) -> str:
    stems = {config.stem: config for config in _python_files(folder)} if path.name else {}
    close = difflib.get_close_matches(path.stem, stems, n=3)
    return "".join(f"\n  did you mean {stems[stem].relative_to(folder)}?" for stem in close)


def _python_files(folder: Path) -> Iterator[Path]:
    """Those of a folder and all below it, but for hidden ones and Python environments."""
    for root, folders, files in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and not Path(root, name, "pyvenv.cfg").exists()
        ]
        yield from (Path(root, name) for name in files if name.endswith(".py"))


def read_config(name: str | Path) -> Config:
    """Read a config file, or an installed one by name.

    Args:
        name: a path, or ``"mmdet::FOLDER/FILE.py"``.

    Raises:
        FileNotFoundError: there is none; names similar ones.
        ValueError: it is no config of this kind, or mmengine can't read it.
    """
    path = find_config(str(name))
    with reading_told(name):
        if path.suffix != ".py" or not Config._is_lazy_import(str(path)):
            return Config.fromfile(path)
    raise ValueError(
        f"config {name}: it is Python code with imports, a script or a config of the read_base "
        "kind; the swap takes the text kind, which the zoos have: mmdet::FOLDER/FILE.py"
    )


@contextmanager
def reading_told(name: str | Path) -> Iterator[None]:
    """Let an error while mmengine reads a config say which file, and which key, is wrong.

    Raises:
        ValueError: Reading failed.
    """
    try:
        with explained(f"mmengine can't read the config {name}"):
            yield
    except ValueError as error:
        key, value, base, file = merged_at(error.__cause__ or error)
        if not (isinstance(error.__cause__, TypeError) and isinstance(value, dict)):
            raise
        raise ValueError(
            f"config {file or name}: {key} is a dict, and {_told(base)} in its base, which no dict "
            f"can be merged into; to replace it: {key.rpartition('.')[2]}=dict(_delete_=True, ...)"
        ) from error


def merged_at(error: BaseException) -> tuple[str, Any, Any, str | None]:
    """Where mmengine failed to merge one config into another.

    Returns:
        The key, with dots; its value; what stands there in the base; and the file, which is None
        where the changes are no file's. All are empty where no merging failed.
    """
    keys: list[str] = []
    value = base = file = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        seen = frame.f_locals
        if frame.f_code is Config._merge_a_into_b.__code__ and "k" in seen:
            keys, value = [*keys, str(seen["k"])], seen["v"]
            holder = seen["b"]
            base = holder.get(seen["k"]) if isinstance(holder, dict) else holder
        elif frame.f_code is Config._file2dict.__code__:
            keys, file = [], str(seen.get("filename"))
    return ".".join(keys), value, base, file


def _told(base: Any) -> str:
    return "None" if base is None else f"{type(base).__name__} {base!r:.40}"


def config_files(name: str | Path) -> tuple[Path, ...]:
    """The files that a config is read from: its own, and all that its ``_base_`` lines lead to."""
    waiting, found = [find_config(str(name)).resolve()], []
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.append(path)
            bases = Config._get_base_files(str(path))
            files = (Config._get_cfg_path(base, str(path))[0] for base in bases)
            waiting += [Path(file).resolve() for file in files]
    return tuple(found)


def base_name(name: str | Path, target: Path) -> str:
    """How a config written to ``target`` names ``name`` as its base.

    Returns:
        The zoo's name if it is in a zoo that mmengine knows, otherwise a path relative to the
        folder of ``target``.
    """
    path = find_config(str(name)).resolve()
    for package in ZOOS:
        folder = zoo_folder(package)
        # mmengine looks for such a name in an installed package alone, not in a checkout
        if folder and folder.parent.name == ".mim" and path.is_relative_to(folder):
            relative = path.relative_to(folder).as_posix()
            # mmengine accepts letters, digits and _ alone in the first folder of such a name.
            plain = re.match(r"\w+/", relative)
            return f"{package}::{relative if plain else f'_base_/../{relative}'}"
    return Path(os.path.relpath(path, target.resolve().parent)).as_posix()


def zoo_folder(package: str) -> Path | None:
    """Folder of the configs that an OpenMMLab package installs; None if it is not there.

    A package that runs from a checkout, as this one may, has them beside its own folder.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).resolve().parent
    installed, checkout = home / ".mim" / "configs", home.parent / "configs"
    return checkout if not installed.is_dir() and checkout.is_dir() else installed
