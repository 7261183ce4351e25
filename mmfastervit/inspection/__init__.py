"""A look at the data that a config names, before a run believes them.

:func:`look_at` reads annotation files whole and opens pictures, all of them or a sample, and
reports what it found: faults, which spoil or end a run, and remarks. One file a question:

- ``sources``: which data sets a config names, and of what format;
- ``class_names``, ``heads``: do names and numbers of classes agree;
- ``coco``, with ``coco_file``, ``coco_entries``, ``coco_objects``, ``coco_ids``, ``coco_boxes``,
  ``coco_masks``, ``coco_pictures``, ``coco_summary``: data in COCO's format;
- ``segmentation``, with ``pairs`` and ``label_maps``: images and label maps in folders;
- ``pictures``, ``folders``, ``pipeline``: opening files as a run does;
- ``findings``: how it is told.
"""

from .findings import FaultyData, Finding, Report
from .inspecting import STAGES, look_at
from .pictures import Opening

__all__ = ["STAGES", "FaultyData", "Finding", "Opening", "Report", "look_at"]
