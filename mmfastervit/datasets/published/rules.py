"""How the labels of published maps are numbered for training."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

IGNORED = 255
# https://github.com/mcordts/cityscapesScripts: ids of the 19 classes that are evaluated, in order.
CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
# https://github.com/nightrome/cocostuff: of the labels 1 to 182 those that no image has. The maps
# hold a label less one.
COCO_STUFF_UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91)
_COCO_STUFF_LABELS = 182


def cityscapes_table() -> np.ndarray:
    """The training number of each id of Cityscapes (256,)."""
    return _table(CITYSCAPES_IDS)


def coco_stuff_table() -> np.ndarray:
    """The training number of each value of COCO-Stuff's maps (256,): 171 classes without gaps."""
    used = (i - 1 for i in range(1, _COCO_STUFF_LABELS + 1) if i not in COCO_STUFF_UNUSED)
    return _table(tuple(used))


def _table(values: tuple[int, ...]) -> np.ndarray:
    table = np.full(256, IGNORED, np.uint8)
    table[list(values)] = np.arange(len(values))
    return table


def number_cityscapes(ids: Path, target: Path) -> None:
    """Write the map of training numbers of a map of ids."""
    _save(cityscapes_table()[read_map(ids)], target)


def number_coco_stuff(raw: Path, target: Path) -> None:
    """Write the map of training numbers of one of COCO-Stuff's maps."""
    _save(coco_stuff_table()[read_map(raw)], target)


def draw_cityscapes(polygons: Path, target: Path) -> None:
    """Draw the map of training numbers of Cityscapes' polygons, by the data set's own package.

    Raises:
        ValueError: The package is not installed.
    """
    if find_spec("cityscapesscripts") is None:
        raise ValueError(
            "there is no map of ids beside it, and drawing polygons needs Cityscapes' own package: "
            "pip install cityscapesscripts"
        )
    from cityscapesscripts.preparation.json2labelImg import json2labelImg

    json2labelImg(str(polygons), str(target), "trainIds")


def unpack_sbd(mat: Path, target: Path) -> None:
    """Write the label map that a file of the Semantic Boundaries Dataset holds.

    Raises:
        ValueError: The file does not hold one, or scipy is not installed.
    """
    if find_spec("scipy") is None:
        raise ValueError("reading .mat files needs scipy: pip install scipy")
    from scipy.io import loadmat

    content = loadmat(str(mat), variable_names=["GTcls"]).get("GTcls")
    if content is None or "Segmentation" not in (content.dtype.names or ()):
        raise ValueError("it holds no GTcls.Segmentation, as files of dataset/cls do")
    _save(np.asarray(content["Segmentation"][0, 0], dtype=np.uint8), target)


def read_map(path: Path) -> np.ndarray:
    """The labels of a map (H, W), whatever colours it is shown in.

    Raises:
        ValueError: It has several channels, or more than 8 bits.
    """
    with Image.open(path) as image:
        if image.mode not in ("L", "P"):
            raise ValueError(
                f"a label map has one channel of 8 bits, and this one is {image.mode!r}: it may be "
                "the coloured one, which is for looking at"
            )
        return np.asarray(image)


def _save(labels: np.ndarray, target: Path) -> None:
    Image.fromarray(labels).save(target, "PNG")
