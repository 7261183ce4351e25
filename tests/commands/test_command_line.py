"""The one command line: what it lists, what it says of mistakes, and with which status it ends."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.answers import status_of

from mmfastervit import commands
from mmfastervit.commands import main, summaries
from mmfastervit.commands.arguments import CommandFailed, WrongRequest

ROOT = Path(__file__).resolve().parents[2]
PART = "mmdet::_base_/schedules/schedule_1x.py"
TOOLS = {
    "doctor": "doctor.py",
    "train": "train.py",
    "test": "test.py",
    "infer": "infer.py",
    "publish": "publish.py",
    "app": "app.py",
    "check": "check.py",
    "swap": "swap_backbone.py",
    "coverage": "swap_coverage.py",
    "explain": "explain.py",
    "export": "export_onnx.py",
    "export-coverage": "export_coverage.py",
    "convert": "convert_checkpoint.py",
    "gather": "gather_checkpoint.py",
    "benchmark": "benchmark.py",
    "gpu-report": "gpu_report.py",
    "shapes": "make_shapes_data.py",
    "prepare": "prepare_data.py",
    "print-config": "print_config.py",
    "flops": "count_flops.py",
    "plot": "plot_runs.py",
    "errors": "report_errors.py",
}


class Fake:
    """A command of the tests' own, in the form of a module."""

    __doc__ = "Fail as told."

    @staticmethod
    def add_arguments(parser) -> None:
        parser.add_argument("--colour", choices=("red", "blue"))

    @staticmethod
    def prepare(arguments) -> None:
        return None

    @staticmethod
    def run(prepared) -> int:
        return 0


@pytest.fixture
def fake(monkeypatch):
    """A command in place of ``train``; what its functions do can be set."""

    class Command(Fake):
        pass

    monkeypatch.setattr(commands, "import_module", lambda name: Command)
    return Command


def failing(error):
    def fail(argument):
        raise error

    return staticmethod(fail)


def test_every_command_is_listed_with_its_summary(capsys):
    status, printed, _ = status_of(capsys, "--help")
    assert status == 0
    assert set(TOOLS) <= set(summaries())
    for name, summary in summaries().items():
        assert name in printed
        assert summary.endswith(".")
        assert summary in printed


@pytest.mark.parametrize("name", sorted(summaries()))
def test_help_of_a_command_shows_examples_of_itself(name, capsys):
    status, printed, _ = status_of(capsys, name, "--help")
    assert status == 0
    assert f"    mmfastervit {name} " in printed.partition("Examples:\n")[2]


def test_without_a_command_the_list_is_shown_as_a_mistake(capsys):
    status, printed, _ = status_of(capsys)
    assert status == 2
    assert "train" in printed


def test_version(capsys):
    from mmfastervit import __version__

    assert status_of(capsys, "--version")[:2] == (0, f"mmfastervit {__version__}\n")


def test_an_unknown_command_is_answered_by_the_nearest(capsys):
    status, _, error = status_of(capsys, "tarin")
    assert status == 2
    assert "no command 'tarin', did you mean 'train'?" in error


@pytest.mark.parametrize("name", sorted(summaries()))
def test_an_unknown_option_is_answered_by_the_nearest(name, capsys):
    """Also where arguments are missing that must be there."""
    status, _, error = status_of(capsys, name, "--hepl")
    assert status == 2
    assert "unrecognized argument '--hepl', did you mean '--help'?" in error


def test_a_choice_that_is_none_is_status_2(fake, capsys):
    status, _, error = status_of(capsys, "train", "--colour", "green")
    assert status == 2
    assert "green" in error


@pytest.mark.parametrize("error", [ValueError("what to do"), FileNotFoundError("what to do")])
def test_a_request_that_is_wrong_is_one_line_and_status_2(fake, capsys, error):
    fake.prepare = failing(error)
    assert status_of(capsys, "train") == (2, "", "mmfastervit train: error: what to do\n")


@pytest.mark.parametrize(("error", "status"), [(CommandFailed, 1), (WrongRequest, 2)])
def test_a_command_that_tells_of_its_failure_is_one_line(fake, capsys, error, status):
    fake.run = failing(error("not reached"))
    assert status_of(capsys, "train") == (status, "", "mmfastervit train: error: not reached\n")


def test_a_defect_in_a_run_keeps_its_traceback(fake):
    fake.run = failing(ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        main(argv=["train"])


def test_an_interruption_is_no_traceback(fake, capsys):
    fake.run = failing(KeyboardInterrupt)
    assert status_of(capsys, "train") == (130, "", "mmfastervit train: interrupted\n")


def test_the_status_of_a_run_is_the_processes(fake, capsys):
    fake.run = staticmethod(lambda prepared: 1)
    assert status_of(capsys, "train")[0] == 1


def test_every_tool_is_a_command():
    for name, tool in TOOLS.items():
        assert f'main("{name}")' in (ROOT / "tools" / tool).read_text()


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("train", ["no.py"], "no config no.py"),
        ("test", ["no.py", "no.pth"], "no config no.py"),
        ("test", ["no.py", "no.pth", "--out", "o.txt"], ".pkl or .pickle"),
        ("test", ["no.py"], "checkpoint"),
        ("train", [PART], "has no model"),
        ("test", [PART, "no.pth"], "has no model"),
        ("infer", ["no.jpg", "--checkpoint", "no.pth", "--out", "x"], "list no.jpg"),
        ("publish", ["no.pth", "--config", "no.py"], "no config no.py"),
        ("export", ["no.py", "--out", "nowhere/x.onnx"], "no folder nowhere"),
        ("convert", ["no.pth", "x.pth"], "no checkpoint file 'no.pth'"),
        ("explain", ["no.jpg", "--config", "no.py", "--point", "1", "2"], "no picture no.jpg"),
        ("explain", ["no.jpg", "--config", "no.py"], "--point"),
        ("shapes", ["--out", "x", "--size", "3"], "size"),
        ("prepare", ["coco", "--root", "nowhere"], "no folder nowhere"),
        ("print-config", ["no.py"], "no config no.py"),
        ("flops", [PART, "--shape", "64", "64"], "has no model"),
        ("flops", ["no.py", "--shape", "0", "64"], "--shape takes numbers of at least 1"),
        ("coverage", ["--only", "nothing of this name"], "--only"),
        ("coverage", ["--workers", "0"], "--workers must be at least 1, not 0"),
        ("export-coverage", ["--only", "nothing of this name"], "--only"),
        ("export-coverage", ["--jobs", "0"], "--jobs is 0"),
        ("export-coverage", ["--retry"], "--retry does again"),
        ("benchmark", ["--json", "nowhere/x.json"], "no folder nowhere"),
        ("swap", ["mmdet::x.py", "--arch", "fastervit_0"], "--out FILE.py"),
        ("plot", ["nowhere"], "no work dir or log nowhere"),
        ("errors", ["no.py", "no.pth", "--out", "x.html"], "no config no.py"),
        ("doctor", ["--json", "nowhere/x.json"], "no folder nowhere"),
    ],
)
def test_a_mistake_is_status_2_and_changes_nothing(
    command, arguments, message, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    status, _, error = status_of(capsys, command, *arguments)
    assert status == 2
    assert message in error
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    "tool", [[str(ROOT / "tools/train.py")], ["-m", "mmfastervit", "train"]], ids=["tool", "module"]
)
def test_a_tool_and_the_command_answer_alike(tool, tmp_path):
    command = [sys.executable, "-W", "ignore", *tool, "no.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith(": error: no config no.py\n")
