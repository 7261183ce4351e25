"""``mmfastervit plot``: what it writes, what it says, and what it refuses."""

import math
from pathlib import Path

import pytest
from support.run_logs import evaluation_line, training_line, write_log

from mmfastervit.commands import main


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    lines = [
        training_line(10, loss=2.0),
        evaluation_line(10, mIoU=30.0),
        training_line(20, loss=1.0),
    ]
    write_log(tmp_path / "mine", "20260101_000000", lines, tail='{"lr": 0.')
    write_log(tmp_path / "mine", "20260101_000001", [training_line(20, loss=math.nan)])
    return tmp_path / "mine"


def status_of(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main("plot", list(map(str, arguments)))
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


def test_both_files_are_written_and_what_the_run_has_come_to_is_said(work_dir, capsys, tmp_path):
    out = tmp_path / "a" / "b"
    status, printed, _ = status_of(capsys, work_dir, "--out", out)
    assert status == 0
    assert sorted(file.name for file in out.iterdir()) == ["curves.png", "curves.svg"]
    assert str(out / "curves.png") in printed
    assert "mine: logged up to iteration 20; started again, with its first line at 20" in printed
    assert "mIoU: last 30, largest 30 at 10" in printed
    assert "loss: last nan; not finite 1 of 2 times, first at 20" in printed
    assert "remark: " in printed
    assert "1 line was cut" in printed


def test_the_dark_figure_stands_beside_the_light_one(work_dir, capsys, tmp_path):
    (tmp_path / "curves.png").touch()
    status_of(capsys, work_dir, "--out", tmp_path, "--theme", "dark", "--metric", "mIoU")
    assert (tmp_path / "curves.png").stat().st_size == 0
    assert {"curves-dark.png", "curves-dark.svg"} <= {file.name for file in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none"], "there is no work dir or log none"),
        (["."], "there are runs below it: mine"),
        (["mine", "--metric", "miou"], "did you mean 'mIoU'"),
        (["mine", "--smooth", "0"], "--smooth takes a number of at least 1, not 0"),
        (["mine"] * 9, "9 runs were given; 8 at most"),
        (["mine", "--out", "file"], "file is a file; name a folder"),
    ],
)
def test_a_mistake_is_status_2_and_writes_nothing(
    work_dir, arguments, message, capsys, monkeypatch
):
    monkeypatch.chdir(work_dir.parent)
    Path("file").touch()
    status, _, error = status_of(capsys, *arguments)
    assert status == 2
    assert message in error
    assert not list(Path().glob("curves*"))
