"""Writes docs/what-is-checked.md: each known fault, and what a run says of it.

Run it when a case or a message changed: `PYTHONPATH=tests python tests/support/checked_page.py`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from mmfastervit.inspection import Finding, look_at
from support.faulty_checkpoints import rows as checkpoints
from support.faulty_data import CASES, Case
from support.harmless_data import FINE, REMARKS
from support.pages import ROOT
from support.small_data import MAKERS

PAGE = ROOT / "docs/what-is-checked.md"
_STAGES = {"train": ("train", "val"), "test": ("test",)}
_HEAD = """# What is checked before a run

`mmfastervit train` and `mmfastervit test` look at their data before they start, and
`mmfastervit check` does so by itself ([how](own-data.md#a-look-at-the-data)). This page lists every
case that the tests make, in a data set of three pictures, and the first line of what is said; the
message goes on with up to three examples, what is accepted and what to do. The page is written from
the table of the tests.

A fault ends the run before it starts: exit code 2. A remark is a line of the summary.
"""
_FAULTS = "| what is wrong | found before | what you see |\n|---|---|---|"
_ODD = """## Odd, and trained on

Objects that are left out do not end a run either where they are fewer than one in a thousand:
COCO's own training set has some.

| what is odd | what you see |
|---|---|"""

_CHECKPOINTS = """## Faults of checkpoints

What a run tests, goes on from or starts from is looked at as well, and refused in one line that
names the file: exit code 2. [What may be done](troubleshooting.md#weights) stands there.

| what is wrong with the file | command | what is said of it |
|---|---|---|"""


def data_faults() -> str:
    """The faults of data, a table for each task."""
    tables = (
        f"## Faults of data: {task}\n\n{_FAULTS}\n{_rows(c for c in CASES if c.task == task)}\n"
        for task in MAKERS
    )
    return "\n".join(tables)


def odd_data() -> str:
    """What is remarked upon."""
    return f"{_ODD}\n{_rows(REMARKS)}\n"


def fine_data() -> str:
    """What is passed over."""
    lines = "\n".join(f"- {task}: {_fine(task)}." for task in MAKERS)
    return f"## Fine, and passed over in silence\n\n{lines}\n"


def faulty_checkpoints() -> str:
    """The faults of checkpoints."""
    rows = "\n".join(
        f"| {_cell(wrong)} | `{command}` | ... {_cell(said.strip())} ... |"
        for command, wrong, said in checkpoints()
    )
    return f"{_CHECKPOINTS}\n{rows}\n"


SECTIONS = (data_faults, odd_data, fine_data, faulty_checkpoints)  # of the page, in this order


def render() -> str:
    """The page."""
    return "\n".join([_HEAD, *(section() for section in SECTIONS)])


def _fine(task: str) -> str:
    return ", ".join(case.name for case in FINE if case.task == task)


def _rows(cases: Iterable[Case]) -> str:
    return "\n".join(_row(case) for case in cases)


def _row(case: Case) -> str:
    stage = case.stages[0]
    with TemporaryDirectory() as folder:
        data = MAKERS[case.task](Path(folder))
        case.damage(data)
        findings = look_at(data.config(), _STAGES[stage]).findings
        lines = " ".join(dict.fromkeys(_lines(findings, case, Path(folder))))
    where = "" if case in REMARKS else f" {' and '.join(case.stages)} |"
    return f"| {_cell(case.name)} |{where} {_cell(lines)} |"


def _lines(findings: list[Finding], case: Case, folder: Path) -> Iterator[str]:
    """What is said of the case itself, without what follows from it."""
    wanted = [finding for finding in findings if finding.is_fault or case in REMARKS]
    for finding in wanted[:1]:
        example = f" - {finding.examples[0]}" if finding.examples else ""
        yield f"{finding.place}: {finding.headline}{example}".replace(f"{folder}/", "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
