"""ONNX files: a backbone, a backbone with its neck, or a whole model, checked before written."""

from mmfastervit.runtimes import paste_masks

from .adapters import Adapter, Refused, register_adapter
from .parts import TOLERANCE, TRACED, UNSEEN, Difference, MapsOf, build_part, export_onnx
from .proof import Checked
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
    "build_part",
    "build_whole",
    "export_onnx",
    "export_whole",
    "paste_masks",
    "register_adapter",
    "require_packages",
]
