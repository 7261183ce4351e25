"""`mmfastervit shapes`, by its file in `tools/`."""

import runpy
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "make_shapes_data.py"


def change_times(folder: Path) -> dict:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture
def run_tool(monkeypatch):
    """Run the command in this process, as a new one would spend seconds on importing torch."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["make_shapes_data.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(TOOL), run_name="__main__")
        return end.value.code

    return run


def test_tool_makes_a_set_then_keeps_it(run_tool, tmp_path, caplog):
    caplog.set_level("INFO")
    out = tmp_path / "shapes"
    arguments = ("--out", out, "--train", 1, "--val", 1, "--size", 64)
    assert run_tool(*arguments) == 0
    assert f"wrote {out}" in caplog.messages
    before = change_times(out)
    assert run_tool(*arguments) == 0
    assert "already holds" in caplog.messages[-1]
    assert change_times(out) == before


def test_tool_refuses_in_one_line(run_tool, tmp_path, capsys):
    (tmp_path / "notes.txt").touch()
    assert run_tool("--out", tmp_path) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_tool_exits_with_2_on_a_wrong_argument(run_tool, tmp_path, capsys):
    assert run_tool("--out", tmp_path / "shapes", "--size", 10) == 2
    assert "size must be at least 64, got 10" in capsys.readouterr().err
