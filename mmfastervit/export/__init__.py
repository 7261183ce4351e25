"""Files of a backbone, with its neck, or a whole model: ONNX or compiled, and checked."""

from mmfastervit.runtimes import paste_masks

from .adapters import Adapter, NoAdapter, Refused, register_adapter
from .asking import batch_of, fitted
from .formats import format_of, require_quantisable
from .likeness import Likeness
from .parts import (
    TOLERANCE,
    TRACED,
    UNSEEN,
    Difference,
    MapsOf,
    build_part,
    export_part,
    preparation_of,
)
from .preparing import Preparation
from .proof import Checked
from .quantising import FEW, Calibration, quantise
from .whole import WholeModel, Written, build_whole, export_whole
from .writing import require_packages

PARTS = ("backbone", "neck", "model")

__all__ = [
    "FEW",
    "PARTS",
    "TOLERANCE",
    "TRACED",
    "UNSEEN",
    "Adapter",
    "Calibration",
    "Checked",
    "Difference",
    "Likeness",
    "MapsOf",
    "NoAdapter",
    "Preparation",
    "Refused",
    "WholeModel",
    "Written",
    "batch_of",
    "build_part",
    "build_whole",
    "export_part",
    "export_whole",
    "fitted",
    "format_of",
    "paste_masks",
    "preparation_of",
    "quantise",
    "register_adapter",
    "require_packages",
    "require_quantisable",
]
