"""The commands of the pages are run, as they stand there, one after the other.

Each page has a folder of its own, with the data that its reader would have. A comment in the line
above a block is not seen by readers and says what a test has to know::

    <!-- run: CONFIG=retinanet.py 8=2 -->     words that stand for a reader's own
    <!-- not run: it needs a GPU -->          and then the block is left out

What runs shorter than written is said in ``support/briefly.py``.
"""

import re
import shlex

import pytest
from support.pages import WRITTEN, Block, blocks, title
from support.scenes import SCENES, Scene

NOT_RUN = "not run: "
RUN = "run: "
PAGES = [page for page in WRITTEN if blocks(page, "bash")]


def commands(block: Block) -> list[str]:
    """The command lines of a block, with the words of its comment put in."""
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.note.startswith(RUN):
        words = [word.split("=", 1) for word in shlex.split(block.note.removeprefix(RUN))]
        for old, new in sorted(words, key=lambda pair: -len(pair[0])):
            place = re.compile(rf"(?<![\w-]){re.escape(old)}(?![\w-])")
            lines = [place.sub(lambda _, new=new: new, line) for line in lines]
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=title)
def test_the_commands_of_a_page_work(page, tmp_path):
    scene = Scene(tmp_path)
    scene.install()
    SCENES.get(title(page), lambda scene: None)(scene)
    for block in blocks(page, "bash"):
        if block.note.startswith(NOT_RUN):
            continue
        for line in commands(block):
            done = scene.run(line)
            said = f"{done.stdout[-2000:]}{done.stderr[-3000:]}"
            assert done.returncode == 0, f"{title(page)}, line {block.line}: {line}\n{said}"


def test_what_is_not_run_says_why():
    for page in PAGES:
        for block in blocks(page, "bash"):
            if block.note.startswith(NOT_RUN):
                assert len(block.note.removeprefix(NOT_RUN).split()) > 2, block.note
