"""`mmfastervit explain`."""

import pytest
from PIL import Image
from support.opened import checkpoint_of, config_of, picture

from mmfastervit.commands import main


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A picture and a config in the working folder."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture((100, 80))).save("cell.png")
    config_of("seg").dump("cells.py")
    return tmp_path


def explain(capsys, *arguments: str) -> tuple[int, str, str]:
    """Exit status, and what is printed, of the command on the picture."""
    with pytest.raises(SystemExit) as ended:
        main("explain", ["cell.png", "--copies", "1", "--device", "cpu", *arguments])
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


def test_a_sheet_is_written_beside_nothing_else(files, capsys):
    weights = checkpoint_of("seg")
    status, out, _ = explain(
        capsys, "--config", "cells.py", "--checkpoint", weights, "--point", "50", "40"
    )
    assert status == 0
    assert out.startswith("cell-hat.png: backbone.stages.2, ")
    assert sorted(path.name for path in files.iterdir()) == ["cell-hat.png", "cell.png", "cells.py"]
    with Image.open("cell-hat.png") as sheet:
        assert sheet.width == 1600


@pytest.mark.parametrize(("suffix", "begins"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_formats_that_scale(files, capsys, suffix, begins):
    out = f"sheet.{suffix}"
    arguments = ("--config", "cells.py", "--point", "9", "9", "--theme", "dark", "--out", out)
    status, printed, _ = explain(capsys, *arguments)
    assert status == 0
    assert "random weights" in printed
    assert (files / out).read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--point", "100", "3"], "100 pixels wide and 80 high"),
        (["--point", "3", "-1"], "100 pixels wide and 80 high"),
        (["--point", "3", "3", "--stage", "3"], "backbone.stages.3 has no carriers"),
        (["--point", "3", "3", "--out", "sheet.gif"], "must end in .png, .svg, .pdf"),
        (["--point", "3", "3", "--out", "no/sheet.png"], "there is no folder no"),
        (["--point", "3", "3", "--copies", "0"], "--copies must be at least 1"),
        (["--point", "3", "3", "--checkpoint", "no.pth"], "no.pth"),
        (["--point", "3"], "expected 2 arguments"),
    ],
)
def test_a_mistake_is_status_2_and_writes_nothing(files, capsys, arguments, message):
    status, _, error = explain(capsys, "--config", "cells.py", *arguments)
    assert status == 2
    assert message in error
    assert sorted(path.name for path in files.iterdir()) == ["cell.png", "cells.py"]


def test_a_model_without_hat_is_told(files, capsys):
    cfg = config_of("seg")
    cfg.model.backbone = dict(type="mmseg.ResNetV1c", depth=18, base_channels=8)
    cfg.dump("cells.py")
    status, _, error = explain(capsys, "--config", "cells.py", "--point", "3", "3")
    assert status == 2
    assert "its ResNetV1c has no HAT block" in error
    assert error.count("\n") == 1


def test_without_a_model_it_says_how_to_name_one(files, capsys):
    status, _, error = explain(capsys, "--point", "3", "3")
    assert status == 2
    assert "name the model by --config" in error


def test_a_file_that_is_no_picture_is_told(files, capsys):
    (files / "cell.png").write_text("no picture")
    status, _, error = explain(capsys, "--config", "cells.py", "--point", "3", "3")
    assert status == 2
    assert "no picture that Pillow can read" in error
