"""On photos of cells a trained model's file measures what the model does, by either runtime."""

from pathlib import Path

import pytest
from support.real_photos import CASES, SHARED, measured, run

from mmfastervit.runtimes.running import OpenVino


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_trained_model_measures_the_same_by_every_runtime(case, tmp_path, capsys):
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
        "--check-on", f"data/{data}/val", "--out", "model.onnx",
    )  # fmt: skip
    found = {"torch": measured(tmp_path, str(checkpoint))}
    for runtime in ("onnxruntime", "openvino"):
        found[runtime] = measured(tmp_path, "--model", "model.onnx", "--runtime", runtime)
    found["torch, bf16"] = measured(tmp_path, str(checkpoint), "--precision", "bf16")
    if not OpenVino.why_no_bf16():
        found["openvino, bf16"] = measured(
            tmp_path, "--model", "model.onnx", "--runtime", "openvino", "--precision", "bf16"
        )
    with capsys.disabled():
        for name, values in found.items():
            print(f"\n{case}, {name}:", *(f"{one} {values[one]:g}" for one in metrics), end="")
    for one in metrics:
        assert found["torch"][one] > 0.02 * largest
        for runtime in ("onnxruntime", "openvino"):
            assert found[runtime][one] == pytest.approx(found["torch"][one], abs=1e-3 * largest)
        for runtime in (name for name in found if name.endswith("bf16")):
            # bfloat16 has two to three digits
            assert found[runtime][one] == pytest.approx(found["torch"][one], abs=0.02 * largest)
