"""Say whether this environment will work, and what mends it.

A line for each subject: Python, torch, GPU, numpy, torchvision and timm, OpenCV, OpenMMLab's
packages, mmcv's operators, small helpers, disk. What is wrong stands below its line, with the
command that mends it. Mend from the top. Exit status 1 says that something will not work; warnings
do not change it. It runs where torch or mmcv is broken or missing, and changes nothing.

Examples:
    mmfastervit doctor
    mmfastervit doctor --json
    mmfastervit doctor --json report.json
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmfastervit.diagnosis import Environment, Verdict, gather, verdicts
from mmfastervit.files import written_whole
from mmfastervit.version import __version__

from .arguments import check_writable

STDOUT = Path("-")
SHOWN = {"ok": "ok", "warning": "warning", "fault": "FAULT", "unknown": "?"}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--json",
        nargs="?",
        type=Path,
        const=STDOUT,
        metavar="FILE",
        help="for reports of bugs: all that was looked at as JSON, printed or written to FILE",
    )


def prepare(arguments: Namespace) -> Path | None:
    """Where JSON is asked for."""
    if arguments.json != STDOUT:
        check_writable("--json", arguments.json)
    return arguments.json


def run(target: Path | None) -> int:
    """Look, and say what was found; 1 if something will not work."""
    if sys.stderr.isatty():
        print("trying the packages, which takes up to a minute ...", file=sys.stderr)
    environment = gather()
    found = verdicts(environment)
    if target is not None:
        text = json.dumps(_report(environment, found), indent=2) + "\n"
        if target == STDOUT:
            print(text, end="")
        else:
            with written_whole(target) as file:
                file.write_text(text, encoding="utf-8")
    if target != STDOUT:
        print(told(found))
    return int(any(verdict.state == "fault" for verdict in found))


def told(found: Sequence[Verdict]) -> str:
    """The report: a line for each subject, what is wrong below it, and the outcome."""
    lines = []
    for verdict in found:
        summary = verdict.summary
        if verdict.waits_for:
            summary += f" (not looked at: {verdict.waits_for} does not import)"
        lines.append(f"{SHOWN[verdict.state]:<8}{verdict.subject:<11}{summary}")
        for finding in verdict.findings:
            lines += [f"        {finding.told}.", f"          {finding.mend}"]
    faults = [finding.fault for verdict in found for finding in verdict.findings]
    if any(faults):
        count = sum(faults)
        lines.append(f"{count} {'fault' if count == 1 else 'faults'}: mend from the top, and look "
                     "again.")  # fmt: skip
    else:
        lines.append("This environment will work.")
    return "\n".join(lines)


def _report(environment: Environment, found: Sequence[Verdict]) -> dict[str, Any]:
    return dict(
        mmfastervit=__version__,
        works=not any(verdict.state == "fault" for verdict in found),
        subjects=[asdict(verdict) | {"state": verdict.state} for verdict in found],
        environment=asdict(environment),
    )
