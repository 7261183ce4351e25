"""What `import mmfastervit` brings, and what it leaves to those who ask for it."""

import subprocess
import sys

COUNT = """
import sys
import mmfastervit
names = sorted(name for name in sys.modules if name.partition(".")[0] in
    ("mmfastervit", "mmdet", "mmseg", "mmpretrain"))
print(*names)
"""
FLOORS = {"archs", "checkpoint", "explaining", "files", "logs", "models", "registry", "signatures"}


def test_importing_the_package_loads_models_and_checkpoint_only():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COUNT], capture_output=True, text=True, check=True
    )
    names = done.stdout.split()
    assert "mmfastervit.models.backbones.fastervit" in names
    assert {name.split(".")[0] for name in names} == {"mmfastervit"}
    parts = {name.split(".")[1] for name in names if "." in name}
    assert parts <= FLOORS | {"version"}
