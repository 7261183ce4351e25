"""Files of a backbone, with its neck, or a whole model: ONNX or compiled, and checked."""

from mmfastervit.runtimes import paste_masks

from .adapters import Adapter, Refused, register_adapter
from .formats import format_of
from .parts import TOLERANCE, TRACED, UNSEEN, Difference, MapsOf, build_part, export_part
from .proof import Checked, batch_of, fitted
from .whole import WholeModel, Written, build_whole, export_whole
from .writing import require_packages

PARTS = ("backbone", "neck", "model")

__all__ = [
    "PARTS",
    "TOLERANCE",
    "TRACED",
    "UNSEEN",
    "Adapter",
    "Checked",
    "Difference",
    "MapsOf",
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
    "register_adapter",
    "require_packages",
]
