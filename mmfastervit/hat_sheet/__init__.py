"""Hierarchical attention at work: what one point of a picture listens to, on one sheet."""

from .measuring import Measured, measure_network
from .opened import explain, measure
from .sheet import draw_sheet

__all__ = ["Measured", "draw_sheet", "explain", "measure", "measure_network"]
