"""What int8 loses on photos of cells, of models that are trained for some minutes."""

from pathlib import Path

import pytest
from support.real_photos import CASES, SHARED, measured, run

LOST = 0.01  # of the largest value that a metric has: one point


@pytest.mark.slow
@pytest.mark.parametrize("case", ["bccd", "nuclei maps"])
def test_int8_loses_a_point_at_most(case, tmp_path, capsys):
    data = case.split()[0]
    if not (SHARED / data).is_dir():
        pytest.skip(f"../shared/data/{data} is not there")
    config, options, metrics, largest = CASES[case]
    (tmp_path / "data").symlink_to(SHARED)
    (tmp_path / "config.py").write_text(config)
    run(tmp_path, "train", "config.py", "--no-check", "--work-dir", "runs", "--seed", "0")
    checkpoint = Path("runs") / (tmp_path / "runs/last_checkpoint").read_text().split("/")[-1]
    run(
        tmp_path, "export", "config.py", str(checkpoint), "--part", "model", "--uint8", *options,
        "--check-on", f"data/{data}/val", "--int8", "--calibrate", f"data/{data}/train",
        "--out", "int8.onnx",
    )  # fmt: skip
    found = {"torch": measured(tmp_path, str(checkpoint))}
    for runtime in ("onnxruntime", "openvino"):
        found[runtime] = measured(tmp_path, "--model", "int8.onnx", "--runtime", runtime)
    with capsys.disabled():
        for name, values in found.items():
            print(f"\n{case}, {name}:", *(f"{one} {values[one]:g}" for one in metrics), end="")
    for one in metrics:
        assert found["torch"][one] > 0.02 * largest
        for runtime in ("onnxruntime", "openvino"):
            assert found[runtime][one] > found["torch"][one] - LOST * largest
