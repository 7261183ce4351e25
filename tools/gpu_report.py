"""``mmfastervit gpu-report`` in a checkout: torch, timm and mmengine are all that it needs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmfastervit.commands import main  # of the folder that is added above

if __name__ == "__main__":
    main("gpu-report")
