"""Every promise is measured, and what cannot be is said."""

import re

from support.small_benchmark import build

from mmfastervit.bench import targets
from mmfastervit.bench.targets import Target, report


def test_every_target_of_the_table_is_checked(monkeypatch):
    monkeypatch.setattr(targets, "memory_of", lambda case, build, device: len(case.model))
    monkeypatch.setattr(targets, "import_seconds", lambda: 0.1)
    told = []
    options = dict(rounds=1, shrink=16, precisions=("fp32",))
    kept = []
    found = report(
        targets.check_targets(build, "a", "them", **options),
        told.append,
        lambda found: kept.append(len(found)),
    )
    assert kept == list(range(1, len(found) + 1))
    assert "throughput over them's" in str(found[0])
    assert re.search(r"share of the matrix rate: \S+ of \d+ GFLOP/s \(must be", str(found[1]))
    assert len(found) == 4 + 4 + 3
    assert told[-1].endswith(f"of {len(found)} targets reached")
    assert str(found[-1]).startswith("reached ")


def test_a_target_that_the_machine_cannot_tell_says_why(monkeypatch):
    monkeypatch.setattr(targets, "emulation", lambda precision: "no such arithmetic")
    found = list(targets.inference(build, "a", "upstream", 1, "bf16", (32, 32)))
    assert [target.is_reached for target in found] == [False, False]
    assert str(found[1]) == (
        "not measured eval bf16 32x32 batch 1, share of the matrix rate (must be >= 0.85): "
        "no such arithmetic"
    )
    monkeypatch.undo()
    assert targets.emulation("fp32") == ""


def test_a_missed_target_says_so():
    assert str(Target("speed", 1.0, 1.12, True)).startswith("NOT reached  speed: 1.000 (must be >=")
    assert Target("memory", 0.5, 0.6, False).is_reached
