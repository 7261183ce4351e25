"""Writing a swap as the config file that a person would write."""

from pathlib import Path as FilePath

from mmengine.config import Config

from mmfastervit.config.finding import config_files
from mmfastervit.config.inheriting import split, text_of
from mmfastervit.config.tree import plain
from mmfastervit.files import written_whole

from .errors import SwapAuditError
from .planning import Swap


def write_config(swap: Swap, base: str, target: FilePath, *, force: bool = False) -> None:
    """Write a swap to a new config file, complete or not at all, and read it back.

    Args:
        swap: What to write.
        base: How the file names the original, see :func:`~mmfastervit.config.finding.base_name`.
        target: The file.
        force: Replace it if it is there.

    Raises:
        ValueError: see :func:`check_target`.
        SwapAuditError: the file, read back, does not say what the swap says.
    """
    check_target(target, swap.original, force)
    with written_whole(target) as part:
        part.write_text(config_text(swap, base), encoding="utf-8")
        compare(swap, Config.fromfile(part))


def check_target(target: FilePath, original: Config, force: bool) -> None:
    """Look before the work whether a config that builds on ``original`` can be written.

    Raises:
        ValueError: the name does not end in ``.py``, its folder is not there, it is there and
            ``force`` is not set, or the original is read from it.
    """
    if target.suffix != ".py":
        raise ValueError(f"--out {target}: expected a file name ending in .py")
    if not target.parent.is_dir():
        raise ValueError(f"--out {target}: there is no folder {target.parent}")
    name = original.filename  # None, or no longer there, of a config that was made in memory
    if name and FilePath(name).is_file() and target.resolve() in config_files(name):
        raise ValueError(
            f"--out {target}: the original is read from this file, and the new one builds on it; "
            "give another name"
        )
    if target.exists() and not force:
        raise ValueError(f"--out {target} is there already; --force replaces it")


def compare(swap: Swap, read: Config) -> None:
    """Raise SwapAuditError where ``read`` does not say what ``swap`` says."""
    lists, _ = split(swap.changes, swap.original.keys())
    variables = {name for name, _ in lists.values()} - {change.path[0] for change in swap.changes}
    wanted, found = plain(swap.config.to_dict()), plain(read.to_dict())
    wrong = [key for key in wanted if key not in variables and found.get(key) != wanted[key]]
    if wrong:
        raise SwapAuditError(f"the written file differs from the swap in {', '.join(wrong)}")


def config_text(swap: Swap, base: str) -> str:
    """Text of the config file: the original as its base, and what changes."""
    arch = next(change.now["arch"] for change in swap.changes if change.path[-1] == "backbone")
    name = arch if isinstance(arch, str) else "a FasterViT"
    title = f"{name} in place of the backbone, by tools/swap_backbone.py."
    return text_of(title, base, swap.changes, swap.original.keys())
