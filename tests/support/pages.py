"""The pages that users read, and what stands in them."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FRONT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES = [*FRONT, *sorted((ROOT / "docs").rglob("*.md"))]
# What the sweeps write quotes the messages of other packages.
WRITTEN = [page for page in PAGES if page.name not in ("swap-coverage.md", "export-coverage.md")]

_BLOCK = re.compile(
    r"(?:<!-- (?P<note>.*?) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Args:
        page: The page.
        kind: Its language, as the fence names it.
        text: Its lines.
        note: The HTML comment in the line above it, or ''.
        line: Where it begins.
    """

    page: Path
    kind: str
    text: str
    note: str
    line: int


def title(page: Path) -> str:
    """How a test names a page."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, kind: str) -> list[Block]:
    """The fenced blocks of a page in some language."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, kind, m["text"], m["note"] or "", text.count("\n", 0, m.start("text")) + 1)
        for m in _BLOCK.finditer(text)
        if m["kind"] == kind
    ]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def code_spans(page: Path) -> list[str]:
    """What stands between single backticks, line breaks taken out."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(page))]


def command_lines(page: Path) -> list[list[str]]:
    """The commands of a page's shell blocks as words, without comments and settings before them."""
    lines = []
    for block in blocks(page, "bash"):
        for line in block.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                del words[0]
            if words:
                lines.append(words)
    return lines


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.M)
    plain = [re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}
