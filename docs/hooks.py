"""What MkDocs asks while it builds the site: pages for what links name outside ``docs``.

On a code host a link such as ``../configs/det`` shows that folder. The site has only ``docs``, so
each file or folder of the checkout that a page links to becomes a page of its own here: a file with
its text, a folder with its list.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")
FENCED = re.compile(r"^(`{3,}).*?^\1$", re.M | re.S)
ON_TOP = ("CONTRIBUTING.md", "CHANGELOG.md")  # pages beside docs that become pages of the site
HOME = ("docs", "README.md")  # the front page of the checkout is not on the site: its index is
FOLDER_OF_FILES = "files"
LANGUAGES = {".py": "python", ".sh": "bash", ".yml": "yaml", ".md": "markdown"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for everything outside ``docs`` that a page links to."""
    waiting = [
        (f"docs/{file.src_uri}", file.content_string) for file in files.documentation_pages()
    ]
    for name in ON_TOP:
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text))
        waiting.append((name, text))
    known = set()
    while waiting:
        place, text = waiting.pop()
        for link in LINK.findall(FENCED.sub("", text)):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(place), link))
            if target.startswith("docs/") or target in (*ON_TOP, *HOME, *known):
                continue
            known.add(target)
            files.append(File.generated(config, page_of(target), content=shown(target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that leave ``docs`` to the pages that stand for their targets."""
    source = page.file.src_uri
    if source.startswith(f"{FOLDER_OF_FILES}/"):
        return markdown
    place = source if source in ON_TOP else f"docs/{source}"

    def turned(match: re.Match) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(place), match[1]))
        here = posixpath.dirname(source) or "."
        if target in HOME:
            return posixpath.relpath("README.md", here)
        if target.startswith("docs/"):
            target = target.removeprefix("docs/")
            target = f"{target}/README.md" if (ROOT / "docs" / target).is_dir() else target
            return posixpath.relpath(target, here)
        return posixpath.relpath(target if target in ON_TOP else page_of(target), here)

    fenced = [match.span() for match in FENCED.finditer(markdown)]
    return LINK.sub(
        lambda match: match[0] if any(a <= match.start() < b for a, b in fenced) else turned(match),
        markdown,
    )


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Refuse a page that no menu has, but for those of linked files."""
    listed = {page.file.src_uri for page in nav.pages}
    missing = [
        file.src_uri
        for file in files.documentation_pages()
        if file.src_uri not in listed and not file.src_uri.startswith((FOLDER_OF_FILES, "examples"))
    ]
    if missing:
        raise PluginError(f"no menu of mkdocs.yml has {', '.join(missing)}: add them to its nav")
    return nav


def page_of(target: str) -> str:
    """The page that stands for a file or folder of the checkout."""
    visible = "/".join(
        part.replace(".", "_", 1) if part[0] == "." else part for part in target.split("/")
    )
    return f"{FOLDER_OF_FILES}/{visible}.md"  # MkDocs leaves out names that begin with a dot


def shown(target: str) -> str:
    """A page's text: what is in a file, or what a folder has."""
    path = ROOT / target
    if not path.exists():
        raise PluginError(f"a page links to {target}, which is not in the checkout")
    if path.is_dir():
        listed = "\n".join(
            f"- `{entry.name}`"
            for entry in sorted(path.iterdir())
            if not entry.name.startswith((".", "_"))
        )
        return f"# {target}\n\nA folder of the checkout:\n\n{listed}\n"
    text = path.read_text(encoding="utf-8")
    return f"# {target}\n\n````{LANGUAGES.get(path.suffix, 'text')}\n{text}\n````\n"
