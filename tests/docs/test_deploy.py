"""The lines of docs/deploy.md that draw boxes without this package, as they stand there."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from support.exported import SIDE, drawn, file_of
from support.pages import ROOT, Block, blocks

LINES = [block for block in blocks(ROOT / "docs/deploy.md", "python") if "found.png" in block.text]
WITHOUT = "import sys\nsys.modules['torch'] = sys.modules['mmfastervit'] = None\n"


def test_there_are_lines_for_both_runtimes():
    assert [block.text.count("InferenceSession(") for block in LINES] == [1, 0]
    assert [block.text.count("compile_model(") for block in LINES] == [0, 1]


@pytest.mark.parametrize("block", LINES, ids=["onnxruntime", "openvino"])
def test_boxes_are_drawn_without_this_package(block: Block, tmp_path):
    Image.fromarray(drawn()[0]).save(tmp_path / "photo.jpg")
    shutil.copy(file_of("mask"), tmp_path / "model.onnx")
    text = block.text.replace("(640, 480)", str((SIDE, SIDE))).replace("> 0.3", "> 0.05")
    subprocess.run([sys.executable, "-c", WITHOUT + text], cwd=tmp_path, check=True)
    found = np.asarray(Image.open(tmp_path / "found.png").convert("RGB"))
    assert found.shape == (SIDE, SIDE, 3)
    assert (found == (255, 0, 0)).all(-1).sum() > 20
