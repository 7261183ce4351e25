"""Test a model and report where it errs: kinds of error, confusion of classes, the worst pictures.

Writes one HTML file that opens by itself. Of a detector it has the errors by kind, class and size
(missed, double, wrong class, wrong place, both, background), what each kind costs in average
precision, the confusion matrix and the twenty worst pictures, labels beside prediction; of a
segmentor the classes, their confusion matrix and the twenty worst pictures.

Examples:
    mmfastervit errors my_config.py work_dirs/my_config/epoch_12.pth --out errors.html
    mmfastervit errors my_config.py CHECKPOINT --out errors.html --score 0.5
    mmfastervit errors my_config.py CHECKPOINT --out errors.html \\
        --cfg-options test_dataloader.dataset.ann_file=train.json
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from mmfastervit.engine import options
from mmfastervit.engine.preflight import check_inputs
from mmfastervit.files import written_whole
from mmfastervit.run_reports.collecting import (
    BoxCollector,
    MapCollector,
    NothingToReport,
    class_names,
)
from mmfastervit.run_reports.report import WORST, About, detection_report, segmentation_report
from mmfastervit.version import __version__

from .arguments import (
    WrongRequest,
    add_allow_partial,
    add_config_options,
    add_no_check,
    check_writable,
    told_as,
)
from .data_look import show_data
from .testing import run_test

SCORE = 0.3


@dataclass(frozen=True)
class _Request:
    """What to test, and what to write of it."""

    cfg: Config
    allow_partial: bool
    score: float
    out: Path
    facts: dict[str, str]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "config", help="config file, or the name of an installed one: mmdet::FOLDER/FILE.py"
    )
    parser.add_argument("checkpoint", help="checkpoint file or URL")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.html")
    parser.add_argument(
        "--score",
        type=float,
        default=SCORE,
        metavar="S",
        help="detections of at least this score are counted and shown; average precision takes all"
        f" (default: {SCORE})",
    )
    parser.add_argument(
        "--work-dir", help="folder of the test's own log (default: ./work_dirs/CONFIG_NAME)"
    )
    add_allow_partial(parser, "test a checkpoint that lacks weights of the model")
    add_no_check(parser)
    add_config_options(parser)


def prepare(arguments: Namespace) -> _Request:
    """Read the config and check that the test can start."""
    if not 0 <= arguments.score <= 1:
        raise ValueError(f"--score takes a number from 0 to 1, not {arguments.score:g}")
    check_writable("--out", arguments.out)
    if arguments.out.suffix not in (".html", ".htm"):
        raise ValueError(f"--out {arguments.out}: a report is an HTML file; end its name in .html")
    cfg = options.load_config(arguments.config, arguments.cfg_options, arguments.work_dir)
    options.check_model(cfg)
    if cfg.get("default_scope") not in _REPORTS:
        raise ValueError(
            f"errors are told for mmdet and mmseg, not for {cfg.get('default_scope')!r},"
            " the config's default_scope"
        )
    if not cfg.get("test_dataloader"):
        raise ValueError("this config cannot be tested: it has no test_dataloader")
    cfg.load_from, cfg.resume = arguments.checkpoint, False
    check_inputs(cfg, "test")
    show_data(arguments, cfg, "test")
    facts = {"config": arguments.config, "checkpoint": arguments.checkpoint}
    return _Request(cfg, arguments.allow_partial, arguments.score, arguments.out, facts)


def run(request: _Request) -> int:
    """Test, and write the report.

    Raises:
        WrongRequest: The test cannot run, or its data or predictions are none to report on.
        CommandFailed: A sample could not be loaded.
    """
    report = _REPORTS[request.cfg.default_scope](request.score)
    with told_as(WrongRequest, NothingToReport):
        metrics = run_test(request.cfg, request.allow_partial, report.hooks)
    about = About(
        f"Where {Path(request.cfg.filename).stem} errs",
        {**request.facts, "made": f"{datetime.now():%d %B %Y, %H:%M}, {_versions()}"},
        metrics,
    )
    text = report.told(about)
    with written_whole(request.out) as file:
        file.write_text(text, encoding="utf-8")
    print(request.out)
    return 0


def _versions() -> str:
    return f"mmfastervit {__version__}, torch {torch.__version__}"


class _BoxReport:
    """The report on a detector."""

    def __init__(self, score: float):
        self._score = score

    def hooks(self, dataset: Any) -> Sequence[Hook]:
        """What takes the predictions while the test runs."""
        self._names = class_names(dataset)
        self._collector = BoxCollector(dataset)
        return [self._collector]

    def told(self, about: About) -> str:
        """The page."""
        return detection_report(about, self._collector.pictures, self._names, self._score)


class _MapReport:
    """The report on a segmentor."""

    def __init__(self, score: float):
        """Scores are of detections, and a segmentor gives none."""

    def hooks(self, dataset: Any) -> Sequence[Hook]:
        """What counts the pixels while the test runs."""
        self._names = class_names(dataset)
        self._palette = dataset.metainfo.get("palette")
        self._collector = MapCollector(len(self._names), WORST)
        return [self._collector]

    def told(self, about: About) -> str:
        """The page."""
        return segmentation_report(about, self._collector.tally, self._names, self._palette)


_REPORTS: dict[str, type[_BoxReport] | type[_MapReport]] = {
    "mmdet": _BoxReport,
    "mmseg": _MapReport,
}
