"""Runtimes: what is missing is told with what brings it, and precisions are what was asked for."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from support.fake_file import write_file

from mmfastervit.runtimes import RUNTIMES, OpenVino, open_runtime, require_runtime, running


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_file_is_run(name, tmp_path):
    path = write_file(tmp_path / "x.onnx", {})
    assert open_runtime(name, path)(np.ones(1, np.float32)) == {"y": -1}


@pytest.mark.parametrize(("name", "extra"), [("onnxruntime", "export"), ("openvino", "openvino")])
def test_a_runtime_that_is_not_there_is_told_with_the_command_that_brings_it(
    name, extra, monkeypatch
):
    monkeypatch.setattr(running, "find_spec", lambda package: None)
    with pytest.raises(ValueError, match=rf"not installed: pip install 'mmfastervit\[{extra}\]'"):
        require_runtime(name)


def test_onnx_runtime_refuses_bfloat16_with_the_reason():
    with pytest.raises(ValueError, match=r"no switch for bfloat16 .*; OpenVINO and torch have"):
        require_runtime("onnxruntime", "bf16")


def test_openvino_refuses_bfloat16_where_the_processor_has_none(monkeypatch):
    monkeypatch.setattr("openvino.Core.get_property", lambda *_: ["FP32", "INT8"])
    with pytest.raises(ValueError, match="no bfloat16 in this processor, but FP32, INT8"):
        require_runtime("openvino", "bf16")


def test_openvino_computes_in_the_precision_that_was_asked_for(tmp_path):
    path = write_file(tmp_path / "x.onnx", {})
    precisions = ["fp32"] + ["bf16"] * (not OpenVino.why_no_bf16())
    for precision in precisions:
        model = OpenVino(path, precision)
        wanted = dict(fp32="float32", bf16="bfloat16")[precision]
        assert f"'{wanted}'" in model.settings["INFERENCE_PRECISION_HINT"]
        assert model.settings["INFERENCE_NUM_THREADS"] == str(torch.get_num_threads())


CLOSED_IN_ORDER = """
import signal, sys
from pathlib import Path
from mmfastervit.runtimes import open_runtime
signal.signal(signal.SIGUSR1, lambda *_: print("told"))
first, second = (open_runtime(sys.argv[1], Path(sys.argv[2])) for _ in range(2))
del first
del second
signal.raise_signal(signal.SIGUSR1)
"""


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_signal_is_taken_after_files_were_closed_in_the_order_they_were_opened(name, tmp_path):
    """On a processor with AMX, OpenVINO's own doing kills the process here."""
    path = write_file(tmp_path / "x.onnx", {})
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CLOSED_IN_ORDER, name, str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "told\n"), done.stderr


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_file_that_can_not_be_opened_is_one_line(name, tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"none" * 9)
    with pytest.raises(ValueError, match=rf"{RUNTIMES[name].told} can't open .*x.onnx: ") as told:
        open_runtime(name, tmp_path / "x.onnx")
    assert "\n" not in str(told.value)


def test_another_runtime_or_precision_is_told():
    with pytest.raises(ValueError, match="run by onnxruntime and openvino, not by 'torch'"):
        require_runtime("torch")
    with pytest.raises(ValueError, match=r"one of \('fp32', 'bf16'\), not 'int8'"):
        require_runtime("openvino", "int8")
