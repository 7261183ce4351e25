"""``test`` and ``infer`` with a file in the place of the checkpoint: the same comes out."""

import json
from pathlib import Path

import pytest
from support.answers import status_of
from support.exported import KINDS, file_of, on_data
from support.little_runs import quicken
from support.opened import checkpoint_of

RUNTIMES = ("onnxruntime", "openvino")
METRICS = {"mask": ("coco/bbox_mAP", "coco/segm_mAP"), "seg": ("mIoU", "aAcc")}
LARGEST = {"mask": 1.0, "seg": 100.0}  # of a metric


@pytest.fixture(scope="module", autouse=True)
def files() -> dict[str, Path]:
    """Made before mmengine runs, after which torch logs each step of an export to pytest."""
    return {kind: file_of(kind) for kind in KINDS}


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Write the config of a kind, changed by a function, into the working directory."""
    monkeypatch.chdir(tmp_path)
    quicken(monkeypatch)

    def write(kind: str, change=lambda content: None, **options) -> str:
        content = on_data(kind, **options)
        change(content)
        path = tmp_path / f"{kind}.py"
        path.write_text("".join(f"{key} = {value!r}\n" for key, value in content.items()))
        return str(path)

    return write


def metrics_of(capsys, *words) -> dict[str, float]:
    """What a test of these words measures."""
    status, printed, error = status_of(capsys, "test", *map(str, words), "--work-dir", "runs")
    assert status == 0, printed + error
    newest = max(Path("runs").rglob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(newest.read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_the_metrics_are_those_of_torch(kind, config, capsys):
    path = config(kind)
    torchs = metrics_of(capsys, path, checkpoint_of(kind))
    for name in METRICS[kind]:
        assert 0.1 < torchs[name] / LARGEST[kind] < 0.95
    for runtime in RUNTIMES:
        ours = metrics_of(capsys, path, "--model", file_of(kind), "--runtime", runtime)
        for name in METRICS[kind]:
            assert ours[name] == pytest.approx(torchs[name], abs=1e-3 * LARGEST[kind]), runtime
