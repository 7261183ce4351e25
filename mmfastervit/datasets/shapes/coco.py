"""The labels of an object as COCO stores them."""

import cv2
import numpy as np


def without_holes(mask: np.ndarray) -> list[np.ndarray]:
    """Cut a mask through its holes into parts that have none, as polygons cannot hold holes."""
    contours, hierarchy = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
    )
    parents = hierarchy[0, :, 3]
    holes = [contours[int(index)] for index in np.flatnonzero(parents >= 0)]
    if not holes:
        return [mask]
    left, _, width, _ = cv2.boundingRect(holes[0])
    is_left = np.arange(mask.shape[1]) < left + (width + 1) // 2
    return [part for half in (is_left, ~is_left) for part in without_holes(mask & half)]


def mask_to_polygons(mask: np.ndarray) -> list[list[float]]:
    """COCO polygons `[x0, y0, x1, y1, ...]` (px, 0 at the image's edge) whose union is the mask.

    `mask` is (H, W) bool and not empty. The contour is followed on an enlarged mask, as one
    through the pixel centres would lose half a pixel all around.
    """
    enlarged = 4
    polygons = []
    for part in without_holes(mask):
        fine = part.astype(np.uint8).repeat(enlarged, axis=0).repeat(enlarged, axis=1)
        contours, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        for contour in contours:
            corners = cv2.approxPolyDP(contour, 0.3 * enlarged, True)
            polygons.append(((corners + 0.5) / enlarged).ravel().tolist())
    return polygons


def coco_annotation(mask: np.ndarray, label: int, image_id: int, number: int) -> dict:
    return {
        "id": number,
        "image_id": image_id,
        "category_id": label + 1,
        "segmentation": mask_to_polygons(mask),
        "area": int(mask.sum()),
        "bbox": list(cv2.boundingRect(mask.astype(np.uint8))),
        "iscrowd": 0,
    }
