"""From a checkpoint to predictions: opening a model, reading pictures, predicting, drawing."""

from .opening import OpenedModel, open_model
from .pictures import Unreadable, read_picture
from .predicting import Predictor, load
from .results import Detections, Segmentation

__all__ = [
    "Detections",
    "OpenedModel",
    "Predictor",
    "Segmentation",
    "Unreadable",
    "load",
    "open_model",
    "read_picture",
]
