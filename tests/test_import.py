"""What `import mmfastervit` brings, and what it leaves to those who ask for it."""

import subprocess
import sys

COUNT = """
import sys
import mmengine.runner
before = set(sys.modules)
import mmfastervit
print(*set(sys.modules) - before)
"""
HEAVY = {"mmcv", "mmdet", "mmseg", "mmpretrain", "matplotlib", "onnx", "onnxruntime", "cv2"}
FLOORS = {
    "archs",
    "checkpoint",
    "explaining",
    "files",
    "forks",
    "logs",
    "models",
    "registry",
    "signatures",
}


def test_importing_the_package_loads_models_and_checkpoint_only():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COUNT], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    assert not HEAVY & set(loaded)
    names = [name for name in loaded if name.partition(".")[0] == "mmfastervit"]
    assert "mmfastervit.models.backbones.fastervit" in names
    parts = {name.split(".")[1] for name in names if "." in name}
    assert parts <= FLOORS | {"version"}
