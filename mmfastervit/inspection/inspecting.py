"""A look at all data of a config."""

import warnings
from collections.abc import Sequence

from mmengine.config import Config

from .class_names import check_agreement, check_metainfo
from .coco import look_at_coco
from .findings import Report
from .folders import Folders
from .heads import check_heads, reads_text
from .pictures import Opening
from .segmentation import look_at_folders
from .sources import COCO, Source, sources

STAGES = ("train", "val", "test")


def look_at(cfg: Config, stages: Sequence[str] = STAGES, opening: Opening | None = None) -> Report:
    """Look at the data sets that some stages of a config read.

    Args:
        cfg: The config as the Runner will get it.
        stages: Of ``"train"``, ``"val"`` and ``"test"``.
        opening: Which pictures are opened; a sample by default.

    Returns:
        All that was found, faults and remarks, and what each data set holds.
    """
    opening, folders, report = opening or Opening(), Folders(), Report()
    read = sources(cfg, stages)
    model = cfg.get("model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, on odd tags; what matters is told
        for source in read:
            _look(source, model, opening, folders, report)
    looked_at = [source for source in read if not source.left_alone]
    if not reads_text(model):
        report.add(check_agreement(looked_at))
    if looked_at:
        report.add(check_heads(model, looked_at[0]))
    return report


def _look(
    source: Source, model: object, opening: Opening, folders: Folders, report: Report
) -> None:
    if source.left_alone:
        report.summaries.append(f"{source.key}: not looked at: {source.left_alone}")
        return
    report.add(check_metainfo(source))
    if source.format == COCO:
        findings, summary = look_at_coco(source, opening, folders)
    else:
        findings, summary = look_at_folders(source, model, opening, folders)
    report.add(findings)
    report.summaries += [summary] * bool(summary)
