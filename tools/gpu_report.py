"""``mmfastervit gpu-report`` in a checkout: it needs torch, timm and mmengine, nothing installed of
this package and nothing else of OpenMMLab's."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmfastervit.commands import main  # of the folder that is added above

if __name__ == "__main__":
    main("gpu-report")
