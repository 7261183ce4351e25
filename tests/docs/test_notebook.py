"""The notebook runs from its first cell to its last, in an empty folder."""

import os
import sys
from pathlib import Path

import pytest
from support.pages import ROOT

NOTEBOOK = ROOT / "docs/notebook.ipynb"


def test_it_is_kept_without_outputs():
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert not any(cell.get("outputs") for cell in cells)


@pytest.mark.slow
def test_it_runs(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=1500, resources=dict(metadata=dict(path=str(tmp_path)))
    ).execute()
    said = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    assert "outputs are the same: True" in said
    assert "mIoU" in said  # what a shell line prints, whose status nothing asks for
    assert "-> FasterViT(arch=fastervit_0" in said  # the swap's list of changes
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 3
