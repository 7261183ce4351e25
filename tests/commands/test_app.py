"""``mmfastervit app``: what it is told is looked at before it serves, and it serves."""

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest
from support.answers import status_of
from support.opened import checkpoint_of, config_of
from support.ports import free_port, taken_port

from mmfastervit.commands import build_parser

pytestmark = pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not installed")
ROOT = Path(__file__).resolve().parents[2]
PANOPTIC = ["model.test_cfg.panoptic_on=True", "model.test_cfg.instance_on=False"]
OBJECTS = ["model.test_cfg.panoptic_on=False", "model.test_cfg.instance_on=True"]
PATIENCE = 120  # seconds


@pytest.fixture
def model(tmp_path, monkeypatch) -> list[str]:
    """Options that name a little detector."""
    monkeypatch.chdir(tmp_path)
    config_of("det").dump("det.json")
    return ["--config", "det.json", "--checkpoint", checkpoint_of("det"), "--device", "cpu"]


def prepared(*words: str) -> Any:
    arguments = build_parser("app").parse_args(words)
    return arguments.command.prepare(arguments)


def test_a_model_is_opened_as_it_was_asked_for(model):
    port = free_port()
    found = prepared(*model, "--port", str(port), "--score-thr", "0.05", "--max-upload", "3")
    assert (found.port, found.score, found.max_upload) == (port, 0.05, 3)
    assert found.answers.has_scores
    assert found.answers.name == "det"


def test_the_config_is_changed_by_options(model, capsys):
    status, _, error = status_of(capsys, "app", *model, "--cfg-options", *PANOPTIC)
    assert status == 2
    assert " ".join(["--cfg-options", *OBJECTS]) in error
    assert prepared(*model, "--cfg-options", *OBJECTS).answers.has_scores


def test_a_gpu_is_taken_if_there_is_one(monkeypatch):
    for there, device in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr("torch.cuda.is_available", lambda there=there: there)
        assert build_parser("app").parse_args(["--checkpoint", "a.pth"]).device == device


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--score-thr", "2"], "--score-thr must be from 0.05 to 1, not 2"),
        (["--score-thr", "0.01"], "--score-thr must be from 0.05 to 1, not 0.01"),
        (["--max-upload", "0"], "--max-upload must be at least 1"),
        (["--port", "70000"], "--port must be from 1 to 65535"),
        (["--device", "cuda:77"], "device 'cuda:77' can't be used here"),
        (["--checkpoint", "no.pth"], "no checkpoint file 'no.pth'"),
        (["--config", "no.py"], "no.py"),
    ],
)
def test_a_mistake_is_one_line(model, words, message, capsys):
    status, _, error = status_of(capsys, "app", *model, *words)
    assert status == 2
    assert message in error
    assert len(error.splitlines()) == 1


def test_options_without_a_config_are_refused(model, capsys):
    words = ["--checkpoint", checkpoint_of("det"), "--cfg-options", "a=1"]
    status, _, error = status_of(capsys, "app", *words)
    assert status == 2
    assert "--cfg-options change a config: name it by --config" in error


def test_a_taken_port_is_told_before_the_model_is_opened(capsys):
    with taken_port() as port:
        words = ["--checkpoint", "no.pth", "--port", str(port)]
        status, _, error = status_of(capsys, "app", *words)
    assert status == 2
    assert f"port {port} of this machine can't be had" in error
    assert "give another --port" in error
    assert len(error.splitlines()) == 1


def test_a_port_that_is_taken_meanwhile_is_told_in_one_line_too(model, monkeypatch, capsys):
    monkeypatch.setattr("mmfastervit.app.ports.check_port", lambda port: None)
    with taken_port() as port:
        status, _, error = status_of(capsys, "app", *model, "--port", str(port))
    assert status == 2
    assert error.splitlines()[-1].endswith("first free one from 7860 on")
    assert "Traceback" not in error


@pytest.mark.slow
def test_the_command_serves_its_page_until_it_is_interrupted(model):
    port = free_port()
    code = "import sys; from mmfastervit.commands import main; main(argv=sys.argv[1:])"
    command = [sys.executable, "-W", "ignore", "-c", code, "app", *model, "--port", str(port)]
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            told = next(line for line in process.stdout if "can be tried at" in line)
            assert f"http://127.0.0.1:{port}" in told
            direct = build_opener(ProxyHandler({}))  # a proxy has another loopback
            with direct.open(f"http://127.0.0.1:{port}/", timeout=PATIENCE) as answer:
                assert answer.status == 200
                assert "det: try it" in answer.read().decode()
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
