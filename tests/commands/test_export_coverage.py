"""``mmfastervit export-coverage``: every model once, going on where it was ended, then a page."""

import json

import pytest
from support.answers import status_of
from support.little_zoo import NAME, little_zoo


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    little_zoo(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def records(folder, name="x.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


@pytest.mark.slow
def test_each_model_is_tried_once_and_a_run_goes_on(zoo, capsys):
    command = ("export-coverage", "--packages", NAME, "--results", "x.jsonl", "--out", "x.md")
    status, told, errors = status_of(capsys, *command, "--only", "d-fcos", "e-mixed")
    assert status == 0, errors
    assert "refused: 1" in told
    assert "failed: 1" in told
    status, _, errors = status_of(capsys, *command)
    assert status == 2
    assert "has the results of 2 models: --resume" in errors

    cut = (zoo / "x.jsonl").read_text() + '{"model": "cut o'
    (zoo / "x.jsonl").write_text(cut)
    status, told, errors = status_of(capsys, *command, "--resume")
    assert status == 0, errors
    assert "1/2 littlezoo::good/a-segformer.py matching" in told
    found = records(zoo)
    assert [record["status"] for record in found].count("matching") == 2
    assert len(found) == 4
    page = (zoo / "x.md").read_text()
    assert "6 configs, 4 models" in page
    assert "| **exported, and matching** | 2 (50.0%) |" in page
    assert "`littlezoo::bad/d-fcos-soft.py`" in page

    status, told, _ = status_of(capsys, *command, "--resume", "--retry", "--timeout", "1")
    assert status == 0
    assert len(records(zoo)) == 5
    assert records(zoo)[-1]["reason"] == "longer than 1 s"
