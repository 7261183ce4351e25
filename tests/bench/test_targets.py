"""Every promise is measured, and what cannot be is said."""

import re
from collections.abc import Iterator
from functools import partial
from shutil import copy

import pytest
from support.small_benchmark import build
from support.torch_file import TorchFile, write

from mmfastervit.bench import cases, targets
from mmfastervit.bench.cases import Conditions
from mmfastervit.bench.files import Files
from mmfastervit.bench.measure import matrix_product
from mmfastervit.bench.targets import Limits, Target, report
from mmfastervit.runtimes import RUNTIMES

LIMITS = Limits(deployed=1.4, best_runtime=1.8, best_int8=2.6)


@pytest.fixture
def files(tmp_path, monkeypatch) -> Iterator[Files]:
    """Files that a runtime of torch runs, and no other does."""
    monkeypatch.setattr(cases, "matrix_product", partial(matrix_product, side=128))
    before = dict(RUNTIMES)
    RUNTIMES.clear()
    RUNTIMES["fake"] = type("Fake", (TorchFile,), dict(seen=[]))
    yield Files(tmp_path, write, quantise=lambda path, out, images: copy(path, out))
    RUNTIMES.clear()
    RUNTIMES.update(before)


def test_every_target_of_the_table_is_checked(monkeypatch, files):
    monkeypatch.setattr(targets, "memory_of", lambda case, build, device: len(case.model))
    monkeypatch.setattr(targets, "import_seconds", lambda: 0.1)
    told = []
    options = dict(rounds=1, shrink=16, precisions=("fp32",), files=files)
    kept = []
    found = report(
        targets.check_targets(build, "a", "them", **options),
        told.append,
        lambda found: kept.append(len(found)),
    )
    assert kept == list(range(1, len(found) + 1))
    assert "throughput over them's" in str(found[0])
    assert re.search(r"share of the matrix rate: \S+ of \d+ GFLOP/s \(must be", str(found[1]))
    best = str(found[2])
    assert "512" not in best
    int8 = str(found[3])
    assert "throughput of fake+int8 over " in int8
    assert int8.endswith("(must be >= 2.6)")
    assert "best runtime, throughput over them's, by fake: " in best
    assert best.endswith("(must be >= 2.4)")
    assert len(found) == 8 + 4 + 3
    assert told[-1].endswith(f"of {len(found)} targets reached")
    assert str(found[-1]).startswith("reached ")


def test_a_target_that_the_machine_cannot_tell_says_why(monkeypatch, files):
    monkeypatch.setattr(targets, "emulation", lambda precision: "no such arithmetic")
    conditions = Conditions("eval", "bf16", (32, 32), 1)
    found = list(targets.inference(build, "a", "upstream", 1, conditions, LIMITS, files))
    assert [target.is_reached for target in found] == [False, False, False]
    assert str(found[1]) == (
        "not measured eval bf16 32x32 batch 1, share of the matrix rate (must be >= 0.85): "
        "no such arithmetic"
    )
    monkeypatch.undo()
    assert targets.emulation("fp32") == ""


def test_where_no_runtime_computes_in_a_precision_the_reason_is_told(monkeypatch, files):
    monkeypatch.setattr(targets, "emulation", lambda precision: "")
    conditions = Conditions("eval", "bf16", (32, 32), 1)
    *measured, best = targets.inference(build, "a", "upstream", 1, conditions, LIMITS, files)
    assert [target.value is None for target in measured] == [False, False]
    assert str(best).endswith("(must be >= 1.8): it is made of torch")


def test_where_nothing_quantises_the_extra_is_named(tmp_path, files):
    conditions = Conditions("eval", "fp32", (32, 32), 1)
    none = Files(tmp_path, write)
    *_, last = targets.inference(build, "a", "upstream", 1, conditions, LIMITS, none)
    assert str(last).startswith("not measured eval fp32 32x32 batch 1, throughput in int8")
    assert str(last).endswith("pip install 'mmfastervit[int8]'")


def test_int8_is_measured_against_the_best_in_float():
    seconds = {"deploy": [3.0], "fast": [2.0], "fast+int8": [1.0], "slow+int8": [4.0]}
    target = targets.best_int8(seconds, 2.6, Conditions("eval", "fp32", (32, 32), 1))
    assert target.value == 2.0
    assert not target.is_reached
    assert "of fast+int8 over fast's" in str(target)


def test_a_missed_target_says_so():
    assert str(Target("speed", 1.0, 1.12, True)).startswith("NOT reached  speed: 1.000 (must be >=")
    assert Target("memory", 0.5, 0.6, False).is_reached
