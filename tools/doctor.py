"""``mmfastervit doctor`` in a checkout: it needs Python alone, and no installed mmfastervit."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmfastervit_command import main  # of the folder that is added above

if __name__ == "__main__":
    main("doctor")
