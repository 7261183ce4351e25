"""Finding what a folder of one's own data holds: COCO files with their pictures, or label maps."""

from .data import OwnData, write_parts
from .instances import find_instances
from .labels import find_labels

__all__ = ["OwnData", "find_instances", "find_labels", "write_parts"]
