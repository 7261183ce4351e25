"""The examples of docs/extending.md run as they stand there, and configs of all pages build."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from support.pages import PAGES, ROOT, Block, blocks, title
from torch import nn

from mmfastervit import FasterViT, HATPlugin

EXAMPLES = blocks(ROOT / "docs/extending.md", "python")
SCRIPTS = [block for block in EXAMPLES if not block.note]
RECIPES = [block for block in EXAMPLES if block.note]
CONFIGS = [
    block
    for page in PAGES
    for block in blocks(page, "python")
    if block.text.startswith('_base_ = "mm') and block not in EXAMPLES
]

# Each runs alone in its namespace; one process for all, as imports take longest.
RUN = """
import json, sys, traceback
failures = {}
for line, text in json.load(sys.stdin).items():
    try:
        exec(compile(text, f"extending.md, block of line {line}", "exec"), {"__name__": "example"})
    except Exception:  # whatever it is, the test reports it and fails
        failures[line] = traceback.format_exc()
print("FAILURES " + json.dumps(failures))
"""


def heading(block: Block) -> str:
    """The section that a block stands in."""
    lines = block.page.read_text(encoding="utf-8").splitlines()[: block.line]
    return [line for line in lines if line.startswith("## ")][-1].removeprefix("## ")


def build(block: Block, folder: Path) -> tuple[nn.Module, Config]:
    """The model of a config, and the config."""
    file = folder / "config.py"
    file.write_text(block.text)
    cfg = Config.fromfile(file)
    init_default_scope(cfg.default_scope)
    return MODELS.build(cfg.model), cfg


@pytest.fixture(scope="module")
def failures(tmp_path_factory) -> dict[str, str]:
    """What went wrong, by the line of the example."""
    texts = json.dumps({block.line: block.text for block in SCRIPTS})
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN],
        input=texts,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path_factory.mktemp("extending"),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.rpartition("FAILURES ")[2])


@pytest.mark.parametrize("block", SCRIPTS, ids=heading)
def test_an_example_runs(block, failures):
    assert failures.get(str(block.line)) is None, failures[str(block.line)]


@pytest.mark.parametrize("block", SCRIPTS, ids=heading)
def test_an_example_shows_what_it_gives(block):
    assert "assert " in block.text


@pytest.mark.parametrize("block", RECIPES, ids=heading)
def test_the_recipe_builds(block, tmp_path: Path):
    model, cfg = build(block, tmp_path)
    assert list(model.backbone.out_channels) == list(model.neck.in_channels)
    assert cfg.optim_wrapper.optimizer.type == "AdamW"


@pytest.mark.parametrize("block", CONFIGS, ids=lambda block: f"{title(block.page)}:{block.line}")
def test_configs_of_other_pages_build(block, tmp_path: Path):
    model, _ = build(block, tmp_path)
    assert any(isinstance(module, (FasterViT, HATPlugin)) for module in model.modules())


def test_all_kinds_are_shown():
    kinds = [heading(block) for block in EXAMPLES]
    assert kinds == [
        "An architecture",
        "A host for HAT",
        "A neck or head for the swap",
        "A rule for the swap",
        "A family of models to export",
        "A recipe",
    ]
