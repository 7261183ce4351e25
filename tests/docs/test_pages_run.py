"""The commands of the pages are run, as they stand there, one after the other.

Each page has a folder of its own, with the data that its reader would have. A comment in the line
above a block is not seen by readers and says what a test has to know::

    <!-- run: CONFIG=retinanet.py 8=2 -->     words that stand for a reader's own
    <!-- not run: it needs a GPU -->          and then the block is left out

What runs shorter than written is said in ``support/briefly.py``.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support.pages import ROOT, WRITTEN, Block, blocks, title
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


def environment(scene: Scene) -> dict[str, str]:
    """That of a reader who has installed the package; ``mmfastervit`` is the brief one."""
    binary = scene.folder / ".bin"
    binary.mkdir()
    script = binary / "mmfastervit"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m support.briefly "$@"\n')
    script.chmod(0o755)
    return os.environ | {
        "PATH": f"{binary}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}",
        "TORCH_HOME": str(scene.folder / ".torch"),
        "OMP_NUM_THREADS": "1",
    }


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=title)
def test_the_commands_of_a_page_work(page, tmp_path):
    scene = Scene(tmp_path)
    SCENES.get(title(page), lambda scene: None)(scene)
    env = environment(scene)
    for block in blocks(page, "bash"):
        if block.note.startswith(NOT_RUN):
            continue
        for line in commands(block):
            done = subprocess.run(
                ["bash", "-c", line], cwd=scene.folder, env=env, capture_output=True, text=True,
                timeout=1200, check=False,
            )  # fmt: skip
            said = f"{done.stdout[-2000:]}{done.stderr[-3000:]}"
            assert done.returncode == 0, f"{title(page)}, line {block.line}: {line}\n{said}"


def test_what_is_not_run_says_why():
    for page in PAGES:
        for block in blocks(page, "bash"):
            if block.note.startswith(NOT_RUN):
                assert len(block.note.removeprefix(NOT_RUN).split()) > 2, block.note
