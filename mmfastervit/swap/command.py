"""What ``tools/swap_backbone.py`` does: plan, list or check, write, and report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmfastervit.config.files import base_name, config_files, read_config

from .audit import audit
from .backbone import OPTIONS
from .check import check as run_check
from .planning import plan_swap
from .summary import parts_of, summarise
from .writing import check_target, write_config


def swap_command(
    config: str,
    arch: str,
    *,
    out: str | None = None,
    force: bool = False,
    list_only: bool = False,
    check: bool = False,
    pretrained: str | None = None,
    backbone_options: Mapping[str, Any],
    keep_optimizer: bool = False,
) -> str:
    """Swap the backbone of a config and write the result, once it is known to be right.

    Args:
        config: The original.
        arch: Architecture of the new backbone.
        out: File to write; None writes nothing.
        force: Replace ``out`` if it is there.
        list_only: Report the parts that depend on the backbone, and do nothing else.
        check: Run one training and one inference step first.
        pretrained: See :func:`~mmfastervit.swap.swap_backbone`, as the next two.
        backbone_options: Further arguments of the backbone.
        keep_optimizer: Leave SGD where it is SGD.

    Returns:
        The report.

    Raises:
        SwapRefusedError: the backbone can't be swapped.
        ValueError: an argument does not fit; also ``out`` can't be written.
        SwapAuditError: the result would not do what it should; nothing is written.
        FileNotFoundError: there is no such config, or no such file of weights.
    """
    target = Path(out) if out else None
    original = read_config(config)
    if target:
        check_target(target, force=force, sources=config_files(config))
    unknown = sorted(set(backbone_options) - set(OPTIONS))
    if unknown:
        raise ValueError(f"--backbone-options: no {unknown}; there are {', '.join(OPTIONS)}")
    swap = plan_swap(
        original,
        arch,
        pretrained=pretrained,
        backbone_options=backbone_options,
        keep_optimizer=keep_optimizer,
    )
    if list_only:
        return parts_of(swap)
    report = [summarise(swap)]
    if check:
        report += [f"check: {line}" for line in run_check(swap)]
    else:
        report += [f"note: {line}" for line in audit(swap)]
    if target:
        write_config(swap, base_name(config, target), target, force=force)
        report.append(f"wrote {target}; it runs with the stock train.py from any folder")
    return "\n".join(report)
