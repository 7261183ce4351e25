"""A generated data set of textured shapes, for teaching a detector or a segmenter quickly.

An image shows some objects of three classes, of different sizes, partly hiding one another, over
a noisy background with clutter. The outline decides the class. To let a network learn in
minutes, a class also has a texture that it nearly always wears, in two tones that differ clearly;
colours tell nothing.

`write_dataset` stores the images once and labels them twice, in ADE20K's folder layout (semantic
maps) and as COCO instances::

    OUT/images/{training,validation}/000000.jpg
    OUT/annotations/{training,validation}/000000.png   0 background, 1..3 SHAPE_CLASSES
    OUT/instances_{train,val}.json                     file names relative to the images folder
    OUT/dataset.json                                   arguments and counts, written last
"""

from .coco import mask_to_polygons
from .painting import drawn_pictures, render_scene
from .scene import SHAPE_CLASSES, SHAPE_PALETTE
from .storing import write_dataset

__all__ = [
    "SHAPE_CLASSES",
    "SHAPE_PALETTE",
    "drawn_pictures",
    "mask_to_polygons",
    "render_scene",
    "write_dataset",
]
