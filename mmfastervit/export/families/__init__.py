"""The families of models that this package knows how to export whole."""

from . import dense, mask2former, proposals, queries, rtmdet_ins, segmentors, two_stage, yolox

__all__ = [
    "dense",
    "mask2former",
    "proposals",
    "queries",
    "rtmdet_ins",
    "segmentors",
    "two_stage",
    "yolox",
]
